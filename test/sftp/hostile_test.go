package sftp

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"

	"golang.org/x/crypto/ssh"

	"tributary/test/servertest"
)

// TestHostilePackets sends what no client sends; the server must not mind.
func TestHostilePackets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	if err := w.connect(w.a).put("/input/kept.tmp", "kept"); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	text := func() []byte {
		list := []string{"/input/there.tmp", "/input/", "/", "/output", "1", "2", "", "/input/" + servertest.Dataset + "/" + date + "/x", "\xff\x00", string(make([]byte, 70_000))}
		s := list[r.IntN(len(list))]
		length := uint32(len(s))
		if r.IntN(10) == 0 {
			length = r.Uint32()
		}
		return append(binary.BigEndian.AppendUint32(nil, length), s...)
	}
	for range 60 {
		conn := servertest.Must(ssh.Dial("tcp", w.place().Address, w.config(w.a)))(t)
		s := servertest.Must(conn.NewSession())(t)
		in, out := servertest.Must(s.StdinPipe())(t), servertest.Must(s.StdoutPipe())(t)
		if err := s.RequestSubsystem("sftp"); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, out) }()
		_, _ = in.Write([]byte{0, 0, 0, 5, 1, 0, 0, 0, 3})
		for id := range uint32(30) {
			kind := byte(3 + r.IntN(20))
			if r.IntN(8) == 0 {
				kind = byte(r.Uint32())
			}
			packet := binary.BigEndian.AppendUint32([]byte{kind}, id)
			for range r.IntN(4) {
				packet = append(packet, text()...)
			}
			packet = binary.BigEndian.AppendUint64(packet, r.Uint64()>>uint(r.IntN(64)))
			packet = binary.BigEndian.AppendUint32(packet, r.Uint32()>>uint(r.IntN(32)))
			length := uint32(len(packet))
			if r.IntN(20) == 0 {
				length = r.Uint32()
			}
			if _, err := in.Write(append(binary.BigEndian.AppendUint32(nil, length), packet...)); err != nil {
				break // the server has had enough
			}
		}
		_ = conn.Close()
	}
	// Half a handshake, and none.
	for _, hello := range []string{"", "GET / HTTP/1.1\r\n\r\n", "SSH-2.0-x\r\n" + string(make([]byte, 100_000))} {
		var d net.Dialer
		c := servertest.Must(d.DialContext(t.Context(), "tcp", w.place().Address))(t)
		_, _ = io.WriteString(c, hello) // the server may have closed it
		defer c.Close()
	}
	s := w.connect(w.a)
	if i, err := s.Stat("/input/kept.tmp"); err != nil {
		t.Errorf("after it: %v, %v", i, err)
	}
	_ = s.conn.Close()
	w.Stop()
	w.Sound()
}

// TestTooMuchIsOpen opens more than a tenant may; another tenant's is not counted.
func TestTooMuchIsOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	a, b := w.connect(w.a), w.connect(w.b)
	if err := a.put("/input/"+servertest.InputName(1, date), servertest.Values(1, date, "x,y,1")); err != nil {
		t.Fatal(err)
	}
	var open []io.Closer
	for {
		f, err := a.Open("/input/" + servertest.InputName(1, date))
		if err != nil {
			break
		}
		if open = append(open, f); len(open) > 1000 {
			t.Fatal("a thousand files are open at once")
		}
	}
	if _, err := b.ReadDir("/"); err != nil {
		t.Errorf("another tenant: %v", err)
	}
	for _, f := range open {
		_ = f.Close()
	}
	if _, err := a.ReadDir("/"); err != nil {
		t.Errorf("once they are closed: %v", err)
	}
	// Files that are written hold more, so that there are fewer of them.
	for n := range 100 {
		f, err := a.OpenFile("/input/"+string(rune('a'+n%26))+string(rune('a'+n/26))+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
		if err == nil {
			_, err = f.WriteAt([]byte("x"), 1<<20)
		}
		if err != nil {
			return
		}
	}
	t.Error("a hundred files are written at once")
}
