package sftp

import (
	"context"
	"errors"
	"os"

	"github.com/pkg/sftp"

	"tributary/internal/fault"
)

// status is an error as SFTP has it: a code, and words that most clients show.
type status struct {
	code error // one of the library's
	text string
}

func (s *status) Error() string { return s.text }

func (s *status) Unwrap() error { return s.code }

func refuse(code error, text string) error { return &status{code, text} }

var (
	errReadOnly = refuse(sftp.ErrSSHFxPermissionDenied, "/output is read-only")
	errFolders  = refuse(sftp.ErrSSHFxPermissionDenied, "the folders are /input/DATASET/YYYY-MM-DD, and no others can be made or removed")
	errReserved = refuse(sftp.ErrSSHFxPermissionDenied, "names that end in "+accepted+", "+rejected+" and "+waiting+" are for what the server says of a file")
	errLinks    = refuse(sftp.ErrSSHFxOpUnsupported, "there are no links here")
)

// codes says what each kind of fault is in SFTP version 3, which has few codes.
var codes = map[fault.Kind]error{
	fault.NotFound:        sftp.ErrSSHFxNoSuchFile,
	fault.Denied:          sftp.ErrSSHFxPermissionDenied,
	fault.Unauthenticated: sftp.ErrSSHFxPermissionDenied,
}

// answer makes an error one that a client may see: a fault's message, and one fixed
// sentence for what is ours, which goes to the log.
func (s *session) answer(err error) error {
	var known *status
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, os.ErrNotExist):
		return refuse(sftp.ErrSSHFxNoSuchFile, "there is no such file")
	}
	kind := fault.KindOf(err)
	switch kind {
	case fault.Internal, fault.Damaged, fault.Unavailable, fault.StorageFull:
		if !errors.Is(err, context.Canceled) {
			s.log.Error("request failed", "error", err)
		}
	case fault.Unauthenticated:
		s.end() // the credential is not good any more
	}
	code, ok := codes[kind]
	if !ok {
		code = sftp.ErrSSHFxFailure
	}
	return &status{code, fault.Message(err)}
}
