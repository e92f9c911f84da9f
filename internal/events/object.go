package events

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// What is here looks at JSON that somebody has decoded before: it goes by the signs that
// part it, and tests nothing. Of what is no JSON it says something, and does not fail.

// Lookup finds what a JSON object has at a path of names, the first of each; nil: nothing.
func Lookup(v jsontext.Value, path ...string) jsontext.Value {
	for _, want := range path {
		v = member(v, want)
	}
	return v
}

func member(v jsontext.Value, want string) jsontext.Value {
	for name, value := range members(v) {
		if string(name) == want || bytes.IndexByte(name, '\\') >= 0 && unescaped(name) == want {
			return value
		}
	}
	return nil
}

// members goes through the members of a JSON object: the names as they are written, and
// the values, which are parts of it.
func members(v jsontext.Value) iter.Seq2[[]byte, jsontext.Value] {
	return func(yield func([]byte, jsontext.Value) bool) {
		for at := behind(v, 0, '{'); at < len(v) && v[at] == '"'; at = behind(v, at, ',') {
			end := unquoted(v, at)
			from := behind(v, end, ':')
			if from == len(v) {
				return
			}
			name := v[at+1 : end-1]
			at = endOf(v, from)
			if !yield(name, v[from:at:at]) {
				return
			}
		}
	}
}

// behind is where what follows a sign begins, with blanks around the sign; the end, if
// the sign is not next.
func behind(v []byte, at int, sign byte) int {
	if at = blanks(v, at); at < len(v) && v[at] == sign {
		return blanks(v, at+1)
	}
	return len(v)
}

func blanks(v []byte, at int) int {
	for at < len(v) && blank(v[at]) {
		at++
	}
	return at
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// endOf is where a value ends that begins at an offset.
func endOf(v []byte, at int) int {
	depth := 0
	for at < len(v) {
		switch c := v[at]; c {
		case '"':
			at = unquoted(v, at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		default:
			at++
			if depth == 0 { // a number or a word
				for at < len(v) && !blank(v[at]) && v[at] != ',' && v[at] != '}' && v[at] != ']' {
					at++
				}
			}
		}
		if depth <= 0 {
			break
		}
	}
	return at
}

// unquoted is where a text ends that begins at an offset. Each byte is looked at twice at
// most, however many escapes there are.
func unquoted(v []byte, at int) int {
	for at++; at < len(v); {
		n := bytes.IndexByte(v[at:], '"')
		if n < 0 {
			break
		}
		for end := at + n; at <= end; {
			escape := bytes.IndexByte(v[at:end], '\\')
			if escape < 0 {
				return end + 1
			}
			at += escape + 2
		}
	}
	return len(v)
}

// unescaped is what a name or a text says that has escapes.
func unescaped(written []byte) string {
	b, err := jsontext.AppendUnquote(nil, `"`+string(written)+`"`)
	if err != nil {
		return ""
	}
	return string(b)
}

// textOf is what a JSON string says; "": it is none.
func textOf(v jsontext.Value) string {
	if len(v) < 2 || v[0] != '"' {
		return ""
	}
	if v = v[1 : len(v)-1]; bytes.IndexByte(v, '\\') >= 0 {
		return unescaped(v)
	}
	return string(v)
}

// survey says which bound JSON is beyond, or reports whether it has no blanks between its
// parts.
func survey(v jsontext.Value) (compact bool, words string) {
	compact = true
	depth, names := 0, 0
	for at := 0; at < len(v); {
		switch c := v[at]; {
		case c == '"':
			at = unquoted(v, at)
			continue
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return false, fmt.Sprintf("is more than %d levels deep", maxDepth)
			}
		case c == '}' || c == ']':
			depth--
		case c == ':':
			if names++; names > maxNames {
				return false, fmt.Sprintf("has more than %d names", maxNames)
			}
		case blank(c):
			compact = false
		}
		at++
	}
	return compact, ""
}
