package definition

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"tributary/internal/fault"
)

// maxProblems is how many problems one message names.
const maxProblems = 20

// document collects what is wrong with a definition and where its parts are.
type document struct {
	problems []problem
	lines    map[string]int
}

type problem struct {
	line int
	text string
}

// at records that the part at path is wrong: what, and what to do.
func (d *document) at(path, format string, args ...any) {
	d.problems = append(d.problems, problem{d.line(path), path + ": " + fmt.Sprintf(format, args...)})
}

// line returns the line of the part at path, or of the nearest part around it
// if path was not written.
func (d *document) line(path string) int {
	for path != "" {
		if n, ok := d.lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return d.lines[""]
}

// err returns every problem in one fault.Invalid, a line each, or nil.
func (d *document) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	var b strings.Builder
	b.WriteString("The analysis definition cannot be used:")
	for i, p := range d.problems {
		if i == maxProblems {
			fmt.Fprintf(&b, "\n  and %d more.", len(d.problems)-i)
			break
		}
		fmt.Fprintf(&b, "\n  line %d: %s", p.line, p.text)
	}
	return fault.New(fault.Invalid, "%s", b.String())
}

// node is a part of a definition: its YAML and the path that leads to it.
type node struct {
	yaml *yaml.Node
	path string
	doc  *document
}

func (n node) problem(format string, args ...any) {
	path := n.path
	if path == "" {
		path = "the definition"
	}
	n.doc.problems = append(n.doc.problems, problem{n.yaml.Line, path + ": " + fmt.Sprintf(format, args...)})
}

// open reads the one document of a YAML text.
func open(text []byte, doc *document) (node, error) {
	if len(text) > MaxYAML {
		return node{}, fault.New(fault.TooLarge, "The analysis definition is %d bytes long; at most %d are allowed.", len(text), MaxYAML)
	}
	if !utf8.Valid(text) {
		return node{}, fault.New(fault.Invalid, "The analysis definition is not valid UTF-8. Save the file as UTF-8.")
	}
	d := yaml.NewDecoder(strings.NewReader(string(text)))
	var root, more yaml.Node
	switch err := d.Decode(&root); {
	case errors.Is(err, io.EOF):
		return node{}, fault.New(fault.Invalid, "The analysis definition is empty.")
	case err != nil:
		return node{}, fault.New(fault.Invalid, "The analysis definition is not readable as YAML: %s.", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return node{}, fault.New(fault.Invalid, "The analysis definition has more than one YAML document. Put each analysis in a file of its own.")
	}
	n := node{root.Content[0], "", doc}
	doc.lines[""] = n.yaml.Line
	n.refuseAliases()
	return n, nil
}

// refuseAliases keeps a small text from standing for a huge definition.
func (n node) refuseAliases() {
	if n.yaml.Kind == yaml.AliasNode || n.yaml.Anchor != "" {
		n.problem("anchors and aliases (& and *) are not allowed. Write the value out.")
		return
	}
	for _, c := range n.yaml.Content {
		node{c, n.path, n.doc}.refuseAliases()
	}
}

func (n node) child(at *yaml.Node, path string) node {
	n.doc.lines[path] = at.Line
	return node{at, path, n.doc}
}

// fields are the values of a mapping.
type fields struct {
	at     node
	values map[string]node
}

// fields reads a mapping that may have the known keys only.
func (n node) fields(known ...string) fields {
	f := fields{n, map[string]node{}}
	if n.yaml.Kind != yaml.MappingNode {
		n.problem("must be a mapping with the keys %s.", strings.Join(known, ", "))
		return f
	}
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key, value := n.yaml.Content[i], n.yaml.Content[i+1]
		at := node{key, n.join(key.Value), n.doc}
		switch {
		case key.Kind != yaml.ScalarNode || !slices.Contains(known, key.Value):
			at.problem("there is no such key.%s Known here: %s.", didYouMean(cut(key.Value), known), strings.Join(known, ", "))
		case f.has(key.Value):
			at.problem("the key is written twice. Remove one.")
		default:
			f.values[key.Value] = n.child(value, at.path)
		}
	}
	return f
}

func (n node) join(key string) string {
	if n.path == "" {
		return cut(key)
	}
	return n.path + "." + cut(key)
}

func (f fields) has(key string) bool { _, ok := f.values[key]; return ok }

// missing records that the key must be written.
func (f fields) missing(key, format string, args ...any) {
	node{f.at.yaml, f.at.join(key), f.at.doc}.problem("is missing. "+format, args...)
}

// text returns a key's scalar as it is written, so that NO and 007 are texts
// without quotes; fallback if the key is absent.
func (f fields) text(key, fallback string, most int) string {
	n, ok := f.values[key]
	if !ok {
		return fallback
	}
	return n.text(most)
}

// filled is text that may not be empty if the key is there.
func (f fields) filled(key, fallback string, most int) string {
	problems := len(f.at.doc.problems)
	v := f.text(key, fallback, most)
	if v == "" && f.has(key) && len(f.at.doc.problems) == problems {
		f.values[key].problem("is empty. Give a text or remove it.")
	}
	return v
}

func (n node) text(most int) string {
	switch {
	case n.yaml.Kind != yaml.ScalarNode:
		n.problem("must be one value.")
	case n.yaml.Tag == "!!null":
		n.problem("is empty. Give a value or remove it.")
	case n.yaml.Style&yaml.TaggedStyle != 0:
		n.problem("tags (!) are not allowed.")
	case utf8.RuneCountInString(n.yaml.Value) > most:
		n.problem("is longer than %d characters.", most)
	case strings.ContainsFunc(n.yaml.Value, func(r rune) bool {
		return !unicode.IsGraphic(r) && (most < maxNote || r != '\n' && r != '\t')
	}):
		n.problem("has characters that cannot be seen.")
	default:
		return n.yaml.Value
	}
	return ""
}

// oneOf is text with a list of the possible values.
func (f fields) oneOf(key, fallback string, values ...string) string {
	n, ok := f.values[key]
	if !ok {
		return fallback
	}
	problems := len(n.doc.problems)
	v := n.text(maxName)
	if len(n.doc.problems) == problems && !slices.Contains(values, v) {
		n.problem("%q is not possible.%s Possible: %s.", v, didYouMean(v, values), strings.Join(values, ", "))
	}
	return v
}

// integer returns a key's whole number; fallback if the key is absent.
func (f fields) integer(key string, fallback, least, most int64) int64 {
	n, ok := f.values[key]
	if !ok {
		return fallback
	}
	v, err := strconv.ParseInt(n.yaml.Value, 10, 64)
	switch {
	case n.yaml.Kind != yaml.ScalarNode || err != nil:
		n.problem("must be a whole number from %d to %d.", least, most)
	case v < least || v > most:
		n.problem("is %d; it must be from %d to %d.", v, least, most)
	default:
		return v
	}
	return fallback
}

// boolean returns a key's true or false; fallback if the key is absent.
func (f fields) boolean(key string, fallback bool) bool {
	switch f.oneOf(key, strconv.FormatBool(fallback), "true", "false") {
	case "true":
		return true
	case "false":
		return false
	}
	return fallback
}

// list returns the items of a sequence; none if the key is absent.
func (f fields) list(key string, most int) []node {
	n, ok := f.values[key]
	if !ok {
		return nil
	}
	switch {
	case n.yaml.Kind != yaml.SequenceNode:
		n.problem("must be a list.")
		return nil
	case len(n.yaml.Content) > most:
		n.problem("has %d items; at most %d are allowed.", len(n.yaml.Content), most)
		return nil
	}
	items := make([]node, len(n.yaml.Content))
	for i, c := range n.yaml.Content {
		items[i] = n.child(c, fmt.Sprintf("%s[%d]", n.path, i))
	}
	return items
}

// texts returns the scalars of a list, each once.
func (f fields) texts(key string, most, length int) []string {
	texts := []string{}
	for _, n := range f.list(key, most) {
		problems := len(n.doc.problems)
		v := n.text(length)
		switch {
		case len(n.doc.problems) > problems:
		case slices.Contains(texts, v):
			n.problem("%q is in the list twice.", cut(v))
		default:
			texts = append(texts, v)
		}
	}
	return texts
}

// cut shortens a text for a message and drops what cannot be shown.
func cut(s string) string {
	if utf8.RuneCountInString(s) > maxName {
		s = string([]rune(s)[:maxName]) + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// didYouMean is a sentence with the nearest known name, or nothing.
func didYouMean(name string, known []string) string {
	if best := nearest(name, known); best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	return ""
}
