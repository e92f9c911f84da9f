package keys

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"

	"tributary/internal/fault"
)

// canonical encodes a label and fields so that no two different lists encode
// alike. All numbers are big-endian.
//
//	label   u64 length, then the bytes
//	field   's' u64 length, then the bytes    string
//	        'x' u64 length, then the bytes    []byte
//	        'i' u64                           int64, in two's complement
//	        'b' 0 or 1                        bool
//	        'f' u64                           float64, IEEE 754 bits
//
// A nil []byte is an empty one, negative zero is zero and all NaN are one, since
// databases do not keep them apart. Types derived from these are as good as
// these, int as good as int64; anything else is a mistake in the program.
func canonical(label string, fields ...any) []byte {
	b := make([]byte, 0, 64+len(label)+24*len(fields))
	b = binary.BigEndian.AppendUint64(b, uint64(len(label)))
	b = append(b, label...)
	for _, f := range fields {
		b = appendField(b, f)
	}
	return b
}

func appendField(b []byte, field any) []byte {
	v := reflect.ValueOf(field)
	switch v.Kind() {
	case reflect.String:
		b = append(b, 's')
		b = binary.BigEndian.AppendUint64(b, uint64(v.Len()))
		return append(b, v.String()...)
	case reflect.Int, reflect.Int64:
		b = append(b, 'i')
		return binary.BigEndian.AppendUint64(b, uint64(v.Int()))
	case reflect.Bool:
		if v.Bool() {
			return append(b, 'b', 1)
		}
		return append(b, 'b', 0)
	case reflect.Float64:
		f := v.Float()
		if f == 0 {
			f = 0
		} else if math.IsNaN(f) {
			f = math.NaN()
		}
		b = append(b, 'f')
		return binary.BigEndian.AppendUint64(b, math.Float64bits(f))
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			b = append(b, 'x')
			b = binary.BigEndian.AppendUint64(b, uint64(v.Len()))
			return append(b, v.Bytes()...)
		}
	}
	panic(fmt.Sprintf("keys: a field of type %T cannot be authenticated", field))
}

// macVersion starts every MAC, so that another algorithm can follow.
const macVersion = 1

// MAC authenticates a row that grants power: HMAC-SHA256, under a key of the
// server, of the label and the fields in order; 33 bytes. Fields are string,
// int64 (or int), bool, []byte, float64, or types derived from these; any other
// panics. A nil []byte counts as empty. The label names the kind of row, and
// changes when the meaning of its fields does.
func (r *Ring) MAC(label string, fields ...any) []byte {
	h := hmac.New(sha256.New, r.mac[:])
	h.Write(canonical(label, fields...))
	return h.Sum([]byte{macVersion})
}

// CheckMAC returns nil if mac is what MAC returns for the label and fields, and
// Damaged otherwise: whoever reads such a row must do as if it granted nothing.
func (r *Ring) CheckMAC(mac []byte, label string, fields ...any) error {
	if !hmac.Equal(mac, r.MAC(label, fields...)) {
		return fault.New(fault.Damaged, "A stored %s does not carry this server's mark: it was changed or restored by something else. Run \"tributary fsck\".", label)
	}
	return nil
}

// Sign signs msg with the server's Ed25519 key. The caller starts msg with what
// it is, so that no signature can be taken for another kind.
func (r *Ring) Sign(msg []byte) []byte { return ed25519.Sign(r.signer, msg) }

// Signed reports whether sig is Sign's of msg.
func (r *Ring) Signed(msg, sig []byte) bool { return ed25519.Verify(r.PublicKey(), msg, sig) }

// PublicKey returns the key that checks what Sign signed.
func (r *Ring) PublicKey() ed25519.PublicKey {
	public, _ := r.signer.Public().(ed25519.PublicKey) // its documented type
	return public
}
