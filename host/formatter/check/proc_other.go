//go:build !linux

package check

func (r *grouped) memory() {
	r.check(r.name, "memory", func(l *Check) { l.is(Skipped, "it is only known on Linux", "") })
}

func (c *checker) leftovers() {
	c.check("", "leaves nothing", func(l *Check) { l.is(Skipped, "it is only known on Linux", "") })
}
