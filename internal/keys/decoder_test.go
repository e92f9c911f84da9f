package keys_test

// A second decoder of sealed objects, written from docs/formats alone and with the
// standard library's cryptography only: what a tenant who has left us would write.
// It must not use packages keys and keys/file.

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

var errDecode = errors.New("decoder refuses")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDecode, fmt.Sprintf(format, args...))
}

// decodeKeyFile returns the keys of a key file by their ids.
func decodeKeyFile(text string) (map[string][]byte, error) {
	lines := strings.SplitAfter(text, "\n")
	if len(lines) < 4 || lines[0] != "tributary key file 1\n" || lines[len(lines)-1] != "" {
		return nil, refuse("not a key file")
	}
	end := lines[len(lines)-2]
	sum := sha256.Sum256([]byte(strings.TrimSuffix(text, end)))
	if end != "end "+hex.EncodeToString(sum[:])+"\n" {
		return nil, refuse("checksum")
	}
	found := map[string][]byte{}
	for _, line := range lines[1 : len(lines)-2] {
		words := strings.Fields(line)
		if len(words) != 4 || words[0] != "key" {
			return nil, refuse("line %q", line)
		}
		key, err := base64.StdEncoding.DecodeString(words[3])
		if err != nil {
			return nil, err
		}
		found[words[1]] = key
	}
	return found, nil
}

// decodeWithKEK opens what a KEK of a key file wrapped.
func decodeWithKEK(keks map[string][]byte, wrapped, ad []byte) ([]byte, error) {
	if len(wrapped) < 1+30+12+16 || wrapped[0] != 1 {
		return nil, refuse("not wrapped by a key file")
	}
	kek := keks[string(wrapped[1:31])]
	if kek == nil {
		return nil, refuse("no such KEK")
	}
	return gcmOpen(kek, wrapped[31:43], wrapped[43:], append(append([]byte{}, wrapped[:31]...), ad...))
}

func gcmOpen(key, nonce, sealed, ad []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, nonce, sealed, ad)
}

// protobufFields returns the fields of a message: numbers as 8 bytes, the rest as is.
func protobufFields(b []byte) (map[int][][]byte, error) {
	fields := map[int][][]byte{}
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, refuse("protobuf tag")
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, refuse("protobuf value")
		}
		b = b[n:]
		var value []byte
		switch tag & 7 {
		case 0:
			value = binary.BigEndian.AppendUint64(nil, v)
		case 2:
			if v > uint64(len(b)) {
				return nil, refuse("protobuf length")
			}
			value, b = b[:v], b[v:]
		default:
			return nil, refuse("protobuf type %d", tag&7)
		}
		fields[int(tag>>3)] = append(fields[int(tag>>3)], value)
	}
	return fields, nil
}

// one returns the only field of a number, which may be absent.
func one(fields map[int][][]byte, n int) []byte {
	if len(fields[n]) != 1 {
		return nil
	}
	return fields[n][0]
}

// decodeTenantKey returns the AES keys of a wrapped tenant key, by Tink's key id.
func decodeTenantKey(keks map[string][]byte, tenant, purpose string, wrapped []byte) (map[uint32][]byte, error) {
	outer, err := protobufFields(wrapped)
	if err != nil {
		return nil, err
	}
	plain, err := decodeWithKEK(keks, one(outer, 2), fields("tributary tenant key 1", tenant, purpose))
	if err != nil {
		return nil, err
	}
	set, err := protobufFields(plain)
	if err != nil {
		return nil, err
	}
	found := map[uint32][]byte{}
	for _, raw := range set[2] {
		key, err := protobufFields(raw)
		if err != nil {
			return nil, err
		}
		data, err := protobufFields(one(key, 1))
		if err != nil {
			return nil, err
		}
		if string(one(data, 1)) != "type.googleapis.com/google.crypto.tink.AesGcmKey" {
			return nil, refuse("key type")
		}
		value, err := protobufFields(one(data, 2))
		if err != nil {
			return nil, err
		}
		found[uint32(binary.BigEndian.Uint64(one(key, 3)))] = one(value, 3)
	}
	return found, nil
}

// tinkOpen opens a ciphertext of Tink's AES-GCM.
func tinkOpen(tenantKey map[uint32][]byte, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < 5+12+16 || sealed[0] != 1 {
		return nil, refuse("not a ciphertext of Tink")
	}
	key := tenantKey[binary.BigEndian.Uint32(sealed[1:])]
	if key == nil {
		return nil, refuse("no such key in the keyset")
	}
	return gcmOpen(key, sealed[5:17], sealed[17:], ad)
}

// fields is the encoding of associated data: a label, then string, int64 and
// []byte fields.
func fields(label string, list ...any) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(len(label)))
	b = append(b, label...)
	for _, f := range list {
		switch f := f.(type) {
		case string:
			b = append(b, 's')
			b = binary.BigEndian.AppendUint64(b, uint64(len(f)))
			b = append(b, f...)
		case []byte:
			b = append(b, 'x')
			b = binary.BigEndian.AppendUint64(b, uint64(len(f)))
			b = append(b, f...)
		case int64:
			b = append(b, 'i')
			b = binary.BigEndian.AppendUint64(b, uint64(f))
		default:
			panic("no such field")
		}
	}
	return b
}

// decodeObject opens a sealed object.
func decodeObject(tenantKey map[uint32][]byte, tenant, purpose, object string, version int64, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, refuse("too short")
	}
	count := int(binary.BigEndian.Uint32(sealed[len(sealed)-4:]))
	if count < 1 || count > 1024 || len(sealed) < 4*count {
		return nil, refuse("segment count %d", count)
	}
	trailer := sealed[len(sealed)-4*count:]
	body := sealed[:len(sealed)-4*count]
	var plain, previous []byte
	chunk := uint32(0)
	size := 0
	for segment := range count {
		if len(body) < 128 {
			return nil, refuse("header of segment %d", segment)
		}
		header := body[:128]
		body = body[128:]
		if string(header[:14]) != "tributary/so\x01\x01" || header[14] < 10 || header[14] > 22 || header[15] != 0 {
			return nil, refuse("header of segment %d", segment)
		}
		if size != 0 && size != 1<<header[14] {
			return nil, refuse("chunk size changes")
		}
		size = 1 << header[14]
		if int(binary.BigEndian.Uint32(header[16:])) != segment || binary.BigEndian.Uint32(header[20:]) != chunk {
			return nil, refuse("segment %d is out of place", segment)
		}
		at := func(label string) []byte {
			return fields(label, tenant, purpose, object, version, header[:31], previous)
		}
		dataKey, err := tinkOpen(tenantKey, header[31:96], at("tributary/so/1 data key"))
		if err != nil {
			return nil, err
		}
		commitment, err := hkdf.Key(sha256.New, dataKey, nil, string(at("tributary/so/1 commitment")), 32)
		if err != nil {
			return nil, err
		}
		if string(commitment) != string(header[96:]) {
			return nil, refuse("commitment of segment %d", segment)
		}
		key, err := hkdf.Key(sha256.New, dataKey, nil, string(at("tributary/so/1 chunk key")), 32)
		if err != nil {
			return nil, err
		}
		previous = commitment
		final := segment == count-1
		for first := true; ; first = false {
			if !final && chunk == binary.BigEndian.Uint32(trailer[4*segment:]) {
				if first {
					return nil, refuse("segment %d is empty", segment)
				}
				break
			}
			n := min(size+16, len(body))
			last := final && n == len(body)
			nonce := append(append([]byte{}, header[24:31]...), 0, 0, 0, 0, 0)
			binary.BigEndian.PutUint32(nonce[7:], chunk)
			if last {
				nonce[11] = 1
			}
			opened, err := gcmOpen(key, nonce, body[:n], nil)
			if err != nil {
				return nil, err
			}
			if !last && len(opened) != size || last && len(opened) == 0 && !first {
				return nil, refuse("chunk %d is too short", chunk)
			}
			plain = append(plain, opened...)
			body = body[n:]
			chunk++
			if last {
				return plain, nil
			}
		}
	}
	return nil, refuse("no last chunk")
}
