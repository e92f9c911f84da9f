// Package s3test gives tests a real S3 service: versitygw, which keeps objects as
// files in a temporary directory and listens on loopback.
package s3test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The credentials of every gateway, as the environment has them.
const (
	accessKey = "tributary-test"
	secretKey = "the secret of a test"
)

// Env is the environment of a program that uses a gateway.
func Env() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_EC2_METADATA_DISABLED=true"}
}

// Program names the gateway's program in the environment; without it, it is looked
// for where make puts it, and in PATH.
const Program = "TRIBUTARY_TEST_VERSITYGW"

// Gateway is a service with a bucket.
type Gateway struct {
	Address string // HOST:PORT
	Dir     string // where it keeps objects: a folder for each bucket
	next    atomic.Int64
}

// Bucket is the bucket of each gateway.
const Bucket = "objects"

const patience = 20 * time.Second

// Start starts a gateway that ends with the test. Without its program, or attributes of
// files, the test is skipped, or fails where TRIBUTARY_REQUIRE_ALL is set.
func Start(t *testing.T, flags ...string) *Gateway {
	t.Helper()
	program, err := find()
	dir := t.TempDir()
	if err == nil {
		err = attributes(dir)
	}
	if err != nil {
		if os.Getenv("TRIBUTARY_REQUIRE_ALL") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	g := &Gateway{Address: free(t), Dir: filepath.Join(dir, "data")}
	if err := os.MkdirAll(filepath.Join(g.Dir, Bucket), 0o700); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--quiet", "--port", g.Address, "--health", "/health", "posix"}, append(flags, g.Dir)...)
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"ROOT_ACCESS_KEY=" + accessKey, "ROOT_SECRET_KEY=" + secretKey, "PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that dies takes it along
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	if err := g.wait(t.Context(), ended); err != nil {
		_ = cmd.Process.Kill()
		t.Fatalf("start %s: %v\n%s", program, err, said.String())
	}
	return g
}

// URL is a prefix that nothing was kept under.
func (g *Gateway) URL() string {
	return fmt.Sprintf("s3://%s/store-%d?endpoint=http://%s", Bucket, g.next.Add(1), g.Address)
}

// wait waits until the gateway answers.
func (g *Gateway) wait(ctx context.Context, ended chan error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Address+"/health", nil)
		if err != nil {
			return err
		}
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case err := <-ended:
			ended <- err
			return fmt.Errorf("it ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func find() (string, error) {
	if path := os.Getenv(Program); path != "" {
		return path, nil
	}
	for dir := "."; ; dir = filepath.Join(dir, "..") {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			made, err := filepath.Abs(filepath.Join(dir, ".cache", "bin", "versitygw"))
			if err != nil {
				return "", err
			}
			if _, err := os.Stat(made); err == nil {
				return made, nil
			}
			break
		}
		if len(dir) > 40 {
			break
		}
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	return "", errors.New("no S3 service for tests: versitygw is missing (make s3gateway, or set " + Program + ")")
}

// attributes reports whether files in dir can have them, where the gateway keeps what it
// knows of an object. It can do so in files of their own, but then a write that it
// refuses while a neighbour is deleted leaves what makes it say that the object is there.
func attributes(dir string) error {
	if err := unix.Setxattr(dir, "user.tributary", []byte("x"), 0); err != nil {
		return fmt.Errorf("no S3 service for tests: files in %s cannot have attributes (set TMPDIR): %w", dir, err)
	}
	return nil
}

// free is an address that nothing listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
