package formatter

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	b := backoff{least: 10 * time.Millisecond, most: 65 * time.Millisecond, budget: 6, pause: time.Minute}
	for i, bound := range []time.Duration{10, 20, 40, 65, 65} {
		if wait := b.next(); wait <= 0 || wait > bound*time.Millisecond {
			t.Errorf("wait %d is %s, want up to %d ms", i+1, wait, bound)
		}
	}
	for range 3 {
		if wait := b.next(); wait < 30*time.Second || wait > time.Minute || !b.spent() {
			t.Errorf("after the budget the wait is %s", wait)
		}
	}
	if b.reset(); b.next() > 10*time.Millisecond {
		t.Error("reset does not begin anew")
	}
}

func TestSettling(t *testing.T) {
	folder := t.TempDir()
	write := func(text string) map[string]sight {
		if err := os.WriteFile(filepath.Join(folder, "p"), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		seen, err := look(folder)
		if err != nil {
			t.Fatal(err)
		}
		return seen
	}
	now := time.Now()
	s := newSettling(time.Second)
	step := func(after time.Duration, seen map[string]sight, appeared, gone, settled int, first bool) {
		t.Helper()
		now = now.Add(after)
		a, g := s.look(seen, now)
		files, _ := s.settled(now)
		if f := s.first(now); len(a) != appeared || len(g) != gone || len(files) != settled || f != first {
			t.Errorf("%d appeared, %d gone, %d settled, first %v; want %d, %d, %d, %v", len(a), len(g), len(files), f, appeared, gone, settled, first)
		}
	}
	v1, v2 := write("1"), write("22")
	step(0, v1, 1, 0, 0, false)
	step(900*time.Millisecond, v1, 0, 0, 0, false)
	step(50*time.Millisecond, v2, 0, 0, 0, false)
	step(50*time.Millisecond, v2, 0, 0, 0, true) // it changes still: not of the first scan
	step(950*time.Millisecond, v2, 0, 0, 1, false)
	step(time.Second, v2, 0, 0, 0, false) // told already
	step(time.Second, v1, 0, 0, 0, false)
	step(time.Second, v1, 0, 0, 1, false)
	step(time.Second, nil, 0, 1, 0, false)
	step(time.Second, v1, 1, 0, 0, false)
}

func TestAdoptNoticesChanges(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "p")
	if err := os.WriteFile(path, []byte("abc"), 0o755); err != nil {
		t.Fatal(err)
	}
	seen, err := look(folder)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCopies(filepath.Join(folder, "copies"))
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.adopt(t.Context(), path, seen["p"].info)
	const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	if err != nil || v.digest != digest || v.path != filepath.Join(folder, "copies", digest) {
		t.Errorf("adopt() = %v, %v", v, err)
	}
	if err := os.WriteFile(path, []byte("abcd"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := c.adopt(t.Context(), path, seen["p"].info); err != errChanged {
		t.Errorf("adopt() of a changed file = %v, want errChanged", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := c.adopt(t.Context(), path, seen["p"].info); err != errChanged {
		t.Errorf("adopt() of a removed file = %v, want errChanged", err)
	}
	if entries, _ := os.ReadDir(c.folder); len(entries) != 1 {
		t.Errorf("%d files in the folder for copies, want 1", len(entries))
	}
}
