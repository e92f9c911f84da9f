package contract

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"tributary/internal/fault"
)

// maxProblems is how many problems of a contract one message names.
const maxProblems = 20

// document collects what is wrong with a contract, in the order of its lines.
type document struct{ problems []problem }

type problem struct {
	line int
	text string
}

// err returns every problem in one fault.Invalid, a line each, or nil.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var b strings.Builder
	b.WriteString("The contract cannot be used:")
	for i, p := range d.problems {
		if i == maxProblems {
			fmt.Fprintf(&b, "\n  and %d more.", len(d.problems)-i)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", p.line, p.text)
	}
	return fault.New(fault.Invalid, "%s", b.String())
}

// node is a place in a contract: its YAML and the path that leads there.
type node struct {
	yaml *yaml.Node
	path string
	doc  *document
}

// problem records that the node is wrong: what, and what to do.
func (n node) problem(format string, args ...any) {
	path := n.path
	if path == "" {
		path = "the contract"
	}
	n.doc.problems = append(n.doc.problems, problem{n.yaml.Line, path + ": " + fmt.Sprintf(format, args...)})
}

// open reads the one document of a YAML text.
func open(text []byte, doc *document) (node, error) {
	if len(text) > MaxYAML {
		return node{}, fault.New(fault.TooLarge, "The contract is %d bytes long; at most %d are allowed.", len(text), MaxYAML)
	}
	if !utf8.Valid(text) {
		return node{}, fault.New(fault.Invalid, "The contract is not valid UTF-8. Save the file as UTF-8.")
	}
	var root yaml.Node
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	if err := d.Decode(&root); err != nil {
		return node{}, fault.New(fault.Invalid, "The contract is not readable as YAML: %s.", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var more yaml.Node
	if err := d.Decode(&more); err == nil || !isEOF(err) {
		return node{}, fault.New(fault.Invalid, "The contract has more than one YAML document. Put each dataset in a file of its own.")
	}
	n := node{yaml: root.Content[0], doc: doc}
	n.refuseAliases()
	return n, nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) }

// refuseAliases keeps a small text from standing for a huge contract.
func (n node) refuseAliases() {
	if n.yaml.Kind == yaml.AliasNode || n.yaml.Anchor != "" {
		n.problem("anchors and aliases (& and *) are not allowed. Write the value out.")
		return
	}
	for _, c := range n.yaml.Content {
		node{c, n.path, n.doc}.refuseAliases()
	}
}

// fields are the values of a mapping.
type fields struct {
	at     node
	values map[string]node
}

// fields reads a mapping that may have the known keys only.
func (n node) fields(known ...string) fields {
	f := fields{n, make(map[string]node)}
	if n.yaml.Kind != yaml.MappingNode {
		n.problem("must be a mapping with the keys %s.", strings.Join(known, ", "))
		return f
	}
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key, value := n.yaml.Content[i], n.yaml.Content[i+1]
		at := node{key, n.join(key.Value), n.doc}
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			at.problem("there is no such key. Known here: %s.", strings.Join(known, ", "))
		case f.has(key.Value):
			at.problem("the key is written twice. Remove one.")
		default:
			f.values[key.Value] = node{value, at.path, n.doc}
		}
	}
	return f
}

func (n node) join(key string) string {
	if utf8.RuneCountInString(key) > maxName {
		key = string([]rune(key)[:maxName]) + "…"
	}
	key = strings.Map(printable, key)
	if n.path == "" {
		return key
	}
	return n.path + "." + key
}

func (f fields) has(key string) bool { _, ok := f.values[key]; return ok }

// node returns the value of a key, or the mapping itself if it is absent, so
// that a problem has a line.
func (f fields) node(key string) node {
	if v, ok := f.values[key]; ok {
		return v
	}
	return node{f.at.yaml, f.at.join(key), f.at.doc}
}

// text returns a key's scalar as it is written, so that NO, 007 and 2024-01-01
// are texts without quotes; fallback if the key is absent.
func (f fields) text(key, fallback string, most int) string {
	if !f.has(key) {
		return fallback
	}
	return f.node(key).text(most)
}

func (n node) text(most int) string {
	switch {
	case n.yaml.Kind != yaml.ScalarNode:
		n.problem("must be one text.")
	case n.yaml.ShortTag() == "!!null":
		n.problem(`has no value. Write "" for the empty text, or remove the key.`)
	case n.yaml.ShortTag() == "!!binary":
		n.problem("must be a text, not binary data.")
	case utf8.RuneCountInString(n.yaml.Value) > most:
		n.problem("is %d characters long; at most %d are allowed.", utf8.RuneCountInString(n.yaml.Value), most)
	case strings.IndexFunc(n.yaml.Value, unprintable) >= 0:
		n.problem("has a control character that is not allowed in a contract. Remove it.")
	default:
		return n.yaml.Value
	}
	return ""
}

// unprintable names what YAML or JSON readers would change or hide; what is
// left, tabs and line ends included, survives the canonical form.
func unprintable(r rune) bool {
	return r >= 0x7f && r <= 0x9f || r == 0xfeff || r == 0xfffe || r == 0xffff || r == utf8.RuneError ||
		r < ' ' && r != '\t' && r != '\n' && r != '\r' && r != 0x1f && r != 0x1e && r != 0x01
}

func printable(r rune) rune {
	if r < ' ' || unprintable(r) {
		return '?'
	}
	return r
}

func (f fields) oneOf(key, fallback string, known ...string) string {
	if !f.has(key) {
		return fallback
	}
	v := f.node(key).text(maxValue)
	if v != "" && !slices.Contains(known, v) {
		f.node(key).problem("%q is not known. Write one of: %s.", v, strings.Join(known, ", "))
		return fallback
	}
	if v == "" {
		return fallback
	}
	return v
}

func (f fields) boolean(key string, fallback bool) bool {
	if !f.has(key) {
		return fallback
	}
	n := f.node(key)
	if n.yaml.Kind == yaml.ScalarNode && (n.yaml.Value == "true" || n.yaml.Value == "false") {
		return n.yaml.Value == "true"
	}
	n.problem("must be true or false.")
	return fallback
}

func (f fields) integer(key string, fallback, least, most int64) int64 {
	if !f.has(key) {
		return fallback
	}
	n := f.node(key)
	v, err := strconv.ParseInt(n.yaml.Value, 10, 64)
	if n.yaml.Kind != yaml.ScalarNode || err != nil || v < least || v > most {
		n.problem("must be a whole number from %d to %d.", least, most)
		return fallback
	}
	return v
}

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}, {"", 1},
}

// size reads a number of bytes such as 65536, 64KiB or 1 GB.
func (f fields) size(key string, fallback, most int64) int64 {
	if !f.has(key) {
		return fallback
	}
	n := f.node(key)
	for _, u := range units {
		digits, ok := strings.CutSuffix(n.yaml.Value, u.suffix)
		if !ok || n.yaml.Kind != yaml.ScalarNode {
			continue
		}
		v, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err == nil && v > 0 && v <= most/u.bytes {
			return v * u.bytes
		}
		break
	}
	n.problem("must be a size from 1 to %d bytes, such as 64KiB, 500MB or 1GiB.", most)
	return fallback
}

// list returns the nodes of a sequence with at most most entries.
func (f fields) list(key string, most int) []node {
	if !f.has(key) {
		return nil
	}
	n := f.node(key)
	if n.yaml.Kind != yaml.SequenceNode {
		n.problem("must be a list.")
		return nil
	}
	if len(n.yaml.Content) > most {
		n.problem("has %d entries; at most %d are allowed.", len(n.yaml.Content), most)
		return nil
	}
	var all []node
	for i, c := range n.yaml.Content {
		all = append(all, node{c, fmt.Sprintf("%s[%d]", n.path, i), n.doc})
	}
	return all
}
