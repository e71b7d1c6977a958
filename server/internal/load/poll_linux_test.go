package load

import (
	"net"
	"syscall"
	"testing"
	"time"
)

// The kernel's time of arrival is that of the data, whenever it is read.
func TestArrivalIsWhenDataCame(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	sender, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	receiver, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	raw, err := receiver.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
	}); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	stamp := make([]byte, stampSpace)
	// The kernel begins to note times soon after it was asked to, not at once.
	for range 1000 {
		before := time.Now()
		if _, err := sender.Write([]byte("now")); err != nil {
			t.Fatal(err)
		}
		var control int
		if e := raw.Read(func(fd uintptr) bool {
			_, control, _, _, err = syscall.Recvmsg(int(fd), make([]byte, 16), stamp, 0)
			return err != syscall.EAGAIN
		}); e != nil || err != nil {
			t.Fatal(e, err)
		}
		if control == 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		if at := arrival(stamp[:control]); at.Before(before) || at.After(time.Now()) {
			t.Errorf("came at %v; sent at %v and read by %v", at, before, time.Now())
		}
		return
	}
	t.Fatal("the kernel noted no time of arrival")
}
