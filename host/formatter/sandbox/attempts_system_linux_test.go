//go:build amd64 || arm64

package sandbox_test

import (
	"os"
	"path/filepath"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// systemAttempts would change the system as a whole, or reach large parts of
// the kernel. They are such that nothing happens if they work.
func systemAttempts() []attempt {
	return []attempt{
		{name: "set up io_uring", needs: "kernel", try: func(target) error {
			var parameters [120]byte
			return call(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&parameters)))
		}},
		{name: "load a BPF program", needs: "root", try: func(target) error {
			attributes := [16]uint32{2, 4, 4, 1} // an array of one
			return call(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes))
		}},
		{name: "use userfaultfd", needs: "kernel", try: func(target) error { return call(unix.SYS_USERFAULTFD, 1|unix.O_CLOEXEC) }},
		{name: "count performance events", needs: "kernel", try: func(target) error {
			const ofUserOnly = unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv
			event := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Bits: ofUserOnly}
			event.Size = uint32(unsafe.Sizeof(event))
			return closing(unix.PerfEventOpen(&event, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC))
		}},
		{name: "make a namespace", needs: "root", try: func(target) error { return call(unix.SYS_UNSHARE, unix.CLONE_NEWNET) }},
		{name: "enter a namespace", needs: "root", try: func(target) error {
			fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				fd = 0 // see whether the call would be let through
			}
			return unix.Setns(fd, unix.CLONE_NEWUTS)
		}},
		{name: "mount", needs: "root", try: func(t target) error {
			return unless(unix.Mount("none", t.Dir, "no-such-kind", 0, ""), unix.ENODEV)
		}},
		{name: "make a file system", needs: "root", try: func(target) error { return closing(unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)) }},
		{name: "change the root", needs: "root", try: func(t target) error { return unix.Chroot(t.Dir) }},
		{name: "change the host name", needs: "root", try: func(target) error {
			name, err := os.Hostname()
			if err != nil {
				return err
			}
			return unix.Sethostname([]byte(name))
		}},
		{name: "change the clock", needs: "root", try: func(target) error {
			var now unix.Timex
			if _, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &now); err != nil {
				return err
			}
			now.Modes = unix.ADJ_STATUS
			_, err := unix.ClockAdjtime(unix.CLOCK_REALTIME, &now)
			return err
		}},
		{name: "restart the computer", needs: "root", try: func(target) error { return unless(call(unix.SYS_REBOOT), unix.EINVAL) }},
		{name: "load a kernel module", needs: "kernel", try: func(target) error {
			return unless(call(unix.SYS_INIT_MODULE, uintptr(unsafe.Pointer(variable("none"))), 4, uintptr(unsafe.Pointer(variable("")))), unix.ENOEXEC)
		}},
		{name: "swap to a file", needs: "root", try: func(t target) error {
			return unless(call(unix.SYS_SWAPON, uintptr(unsafe.Pointer(variable(t.Dir+"/none"))), 0), unix.ENOENT)
		}},
		{name: "read the kernel's log", needs: "root", try: func(target) error { return call(unix.SYS_SYSLOG, 10) }},
	}
}

// resourceAttempts would take from others what there is.
func resourceAttempts() []attempt {
	return []attempt{
		{name: "fill the disk", try: func(t target) error {
			path := filepath.Join(t.Dir, "big")
			defer func() { _ = os.Remove(path) }()
			return os.WriteFile(path, make([]byte, 64<<20), 0o600)
		}},
		{name: "reserve the disk", try: func(t target) error {
			return withFile(t, func(fd int) error { return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 64<<20) })
		}},
		{name: "reserve the disk by ioctl", needs: "kernel", try: func(t target) error {
			return withFile(t, func(fd int) error {
				const reserve = 0x40305828 // FS_IOC_RESVSP
				space := struct {
					kind, whence int16
					start, size  int64
					system       int32
					process      uint32
					pad          [4]int32
				}{size: 64 << 20}
				return call(unix.SYS_IOCTL, uintptr(fd), reserve, uintptr(unsafe.Pointer(&space)))
			})
		}},
		{name: "take ten gigabytes of memory", try: take(10<<30, unix.PROT_WRITE, unix.MAP_PRIVATE)},
		{name: "take ten gigabytes of shared memory", try: take(10<<30, unix.PROT_WRITE, unix.MAP_SHARED)},
		{name: "take ten gigabytes of stack", try: take(10<<30, unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_GROWSDOWN)},
		{name: "take a terabyte of addresses", try: take(1<<40, 0, unix.MAP_PRIVATE)},
		{name: "open 600 files", try: func(target) error {
			for range 600 {
				if _, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "start two thousand threads", open: "root", try: func(target) error {
			hold, ready := make(chan struct{}), make(chan struct{})
			for range 2000 {
				go func() {
					runtime.LockOSThread()
					ready <- struct{}{}
					<-hold
				}()
			}
			for range 2000 {
				<-ready
			}
			close(hold)
			return nil
		}},
	}
}

func withFile(t target, use func(fd int) error) error {
	f, err := os.Create(filepath.Join(t.Dir, "reserved"))
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer func() { _ = f.Close() }()
	return use(int(f.Fd()))
}

// take maps memory, and touches none of it.
func take(size, protection, flags int) func(target) error {
	return func(target) error {
		_, err := unix.Mmap(-1, 0, size, unix.PROT_READ|protection, flags|unix.MAP_ANON|unix.MAP_NORESERVE)
		return err
	}
}
