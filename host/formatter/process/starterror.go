package process

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

// What the sandbox ends with, and says first, when it can't be set up.
const (
	sandboxFailed = 125
	sandboxPrefix = "restante: error: "
)

// envNotFound is the exit status of env, and of shells, when there is no such
// program (POSIX, env).
const envNotFound = 127

// startError says in words why the process did not come up. err is what
// go-plugin made of it, which is shown only if nothing better is known.
func (p *Process) startError(err error, timedOut bool) error {
	announced, noise, refusal := p.run.output.facts()
	exit := p.run.exit()
	e := &StartError{Output: append(noise, exit.Stderr...)}
	if p.run.launchErr == nil {
		e.Exit = &exit
	}
	switch {
	case p.run.launchErr != nil:
		e.Reason, e.Permanent = explainLaunch(p.config.Path, p.run.launchErr)
	case refusal != nil:
		e.Reason, e.Permanent = refusal.Error(), true
	case timedOut && announced:
		e.Reason = fmt.Sprintf("it announced itself but could not be called within %s", p.config.StartTimeout)
	case timedOut:
		e.Reason = fmt.Sprintf("it did not announce itself within %s%s", p.config.StartTimeout, printed(noise, exit.Stderr))
	case exit.Panic != "":
		first, _, _ := strings.Cut(exit.Panic, "\n")
		e.Reason = "it crashed before it was ready: " + oneLine(first, maxFailure)
	case exit.Signal != "" && exit.Killed == "":
		// A file that was cut short still starts, and soon runs into nothing.
		if fault := inspect(p.config.Path); fault != "" {
			e.Reason, e.Permanent = fault, true
		} else {
			e.Reason = "it was ended by a signal (" + exit.Signal + ") before it was ready; the file may be damaged"
		}
	case exit.Code == sandboxFailed && len(exit.Stderr) > 0 && strings.HasPrefix(exit.Stderr[0], sandboxPrefix):
		e.Reason = strings.TrimPrefix(exit.Stderr[0], sandboxPrefix)
		if fault := inspect(p.config.Path); fault != "" {
			e.Reason, e.Permanent = fault, true
		}
	case exit.Code == envNotFound && inspect(p.config.Path) != "":
		e.Reason = inspect(p.config.Path)
	case exit.Signal == "" && !announced:
		e.Reason = fmt.Sprintf("it is not a formatter plugin, or gave up: it exited with status %d before it announced itself%s", exit.Code, printed(noise, exit.Stderr))
	case exit.Signal == "":
		e.Reason = fmt.Sprintf("it exited with status %d before it could be called%s", exit.Code, printed(noise, exit.Stderr))
	case !announced:
		e.Reason = "it is not a formatter plugin: it closed its standard output before it announced itself" + printed(noise, exit.Stderr)
	default:
		e.Reason = "it announced itself but could not be called: " + oneLine(err.Error(), maxFailure)
	}
	return e
}

// printed quotes the first lines that a plugin printed.
func printed(noise, stderr []string) string {
	lines := append(append([]string(nil), noise...), stderr...)
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	const most = 3
	text := strings.Join(lines[:min(most, len(lines))], " / ")
	return fmt.Sprintf("; it printed: %s", oneLine(text, maxFailure))
}

// explainLaunch says why the system did not start a file, and whether that is
// the file's own fault.
func explainLaunch(path string, err error) (reason string, permanent bool) {
	fault := inspect(path)
	switch {
	case errors.Is(err, syscall.ENOEXEC) && fault != "":
		return fault, true
	case errors.Is(err, syscall.ENOEXEC):
		return "the system can't run this file: it is damaged, or made for another kind of computer", true
	case errors.Is(err, syscall.ENOENT) && fault != "":
		return fault, false // the interpreter may be installed
	case errors.Is(err, syscall.EACCES) && noExec(path):
		return fmt.Sprintf("the file system of %s is mounted with noexec, so nothing can be run from it: keep the data folder elsewhere, or remount it with exec", filepath.Dir(path)), false
	case errors.Is(err, syscall.EACCES):
		return "the system does not let it run: its interpreter may not be executable, or a security module of the system forbids it", false
	case errors.Is(err, syscall.ETXTBSY):
		return "its file is still open for writing", false
	}
	if fault != "" {
		return fault, false
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		return "the system can't start it: " + number.Error(), false
	}
	return "it can't be started: " + oneLine(err.Error(), maxFailure), false
}
