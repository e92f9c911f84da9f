package file

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"tributary/internal/fault"
)

// Export encrypts a key file to age recipients (age1… or age1pq1…), each of which
// can decrypt it alone, and returns it as text. The fingerprints say to whom, and
// kek, as KEK.Name, which key wraps.
func Export(path string, recipients []string) (sealed []byte, fingerprints []string, kek string, err error) {
	if len(recipients) == 0 {
		return nil, nil, "", fault.New(fault.Invalid, "Name at least one age recipient, as in age1….")
	}
	var to []age.Recipient
	for _, text := range recipients {
		parsed, err := age.ParseRecipients(strings.NewReader(text))
		if err != nil || len(parsed) != 1 {
			return nil, nil, "", fault.New(fault.Invalid, "%q is no age recipient, as in age1…. age-keygen prints one as the public key.", text)
		}
		to = append(to, parsed[0])
		sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
		fingerprints = append(fingerprints, "SHA256:"+base64.RawStdEncoding.EncodeToString(sum[:]))
	}
	entries, err := read(filepath.Clean(path))
	if err != nil {
		return nil, nil, "", err
	}
	text := format(entries)
	defer clear(text)
	var b bytes.Buffer
	lines := armor.NewWriter(&b)
	w, err := age.Encrypt(lines, to...)
	if err == nil {
		if _, err = w.Write(text); err == nil {
			err = errors.Join(w.Close(), lines.Close())
		}
	}
	if err != nil {
		return nil, nil, "", fmt.Errorf("encrypt key file: %w", err)
	}
	return b.Bytes(), fingerprints, "file:" + entries[0].id, nil
}

// Decrypt returns the text of the key file that Export encrypted, with the
// identities of an identity file as age-keygen writes it.
func Decrypt(sealed, identities []byte) ([]byte, error) {
	ids, err := age.ParseIdentities(bytes.NewReader(identities))
	if err != nil {
		return nil, fault.New(fault.Invalid, "The identity file is not one of age, as age-keygen writes it. One with a passphrase has to be decrypted first, with age -d.")
	}
	var src io.Reader = bytes.NewReader(sealed)
	if bytes.HasPrefix(bytes.TrimSpace(sealed), []byte(armor.Header)) {
		src = armor.NewReader(src)
	}
	r, err := age.Decrypt(src, ids...)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, fault.New(fault.Invalid, "The exported key was encrypted to another recipient than this identity.")
	}
	if err == nil {
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(r, maxFile+1)); err == nil {
			return text, nil
		}
	}
	return nil, fault.Wrap(fault.Damaged, err, "The exported key is damaged, or it is no export of a key.")
}
