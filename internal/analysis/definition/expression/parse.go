package expression

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"
)

// Parse reads an expression:
//
//	sum      product { ("+" | "-") product }
//	product  factor { ("*" | "/") factor }
//	factor   "-" factor | number | column | function "(" sum ")" | "(" sum ")"
//
// A column is a name of letters, digits and _, or anything in double quotes, with ""
// for one of these. Errors are *Error.
func Parse(text string) (*Expression, error) {
	p := &parser{text: []rune(text)}
	if len(p.text) > MaxLength {
		return nil, wrong(MaxLength+1, "it is longer than %d characters.", MaxLength)
	}
	p.next()
	v, err := p.sum()
	if err != nil {
		return nil, err
	}
	if p.kind != end {
		return nil, p.unexpected("+ - * / or the end")
	}
	e, err := v.expression()
	if err != nil {
		return nil, err
	}
	e.text = p.written.String()
	return e, nil
}

type token int

const (
	end token = iota
	name
	quoted
	number
	sign    // an operator or parenthesis
	strange // anything else
)

// parser has one token in hand.
type parser struct {
	text    []rune
	at      int // where the text goes on
	begin   int // of the token
	kind    token
	value   string
	depth   int
	written strings.Builder // the tokens, with one space where there may be one
}

// next takes the next token in hand.
func (p *parser) next() {
	p.write()
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t' || p.text[p.at] == '\n') {
		p.at++
	}
	p.begin = p.at
	if p.at == len(p.text) {
		p.kind, p.value = end, ""
		return
	}
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) }
	switch r := p.text[p.at]; {
	case '0' <= r && r <= '9' || r == '.':
		p.kind = number
		p.take(func(r rune) bool { return r == '.' || word(r) })
	case word(r):
		p.kind = name
		p.take(word)
	case r == '"':
		p.quoted()
	case strings.ContainsRune("+-*/()", r):
		p.kind, p.value, p.at = sign, string(r), p.at+1
	default:
		p.kind, p.value, p.at = strange, string(r), p.at+1
	}
}

func (p *parser) take(part func(rune) bool) {
	for p.at < len(p.text) && part(p.text[p.at]) {
		p.at++
	}
	p.value = string(p.text[p.begin:p.at])
}

func (p *parser) quoted() {
	p.kind, p.value = quoted, ""
	for p.at++; p.at < len(p.text); p.at++ {
		if p.text[p.at] == '"' {
			if p.at++; p.at == len(p.text) || p.text[p.at] != '"' {
				return
			}
		}
		p.value += string(p.text[p.at])
	}
	p.kind = strange
}

// write adds the token in hand to what was written.
func (p *parser) write() {
	token := string(p.text[p.begin:p.at])
	before := p.written.String()
	first := before == "" || strings.HasSuffix(before, "(") || strings.HasSuffix(before, " ") // so it is a sign, not an operator
	if p.kind == sign && strings.Contains("+-*/", token) && !first {
		token = " " + token + " "
	}
	p.written.WriteString(token)
}

func (p *parser) unexpected(want string) error {
	found := "the end"
	if p.kind != end {
		found = fmt.Sprintf("%q", string(p.text[p.begin:min(p.at, p.begin+20)]))
	}
	return wrong(p.begin+1, "%s stands where %s is expected. %s", found, want, Allowed)
}

func (p *parser) is(signs string) bool { return p.kind == sign && strings.Contains(signs, p.value) }

func (p *parser) sum() (value, error) {
	v, err := p.product()
	for err == nil && p.is("+-") {
		s := int64(1)
		if p.value == "-" {
			s = -1
		}
		p.next()
		var w value
		if w, err = p.product(); err == nil {
			v, err = plus(v, w, s)
		}
	}
	return v, err
}

func (p *parser) product() (value, error) {
	v, err := p.factor()
	for err == nil && p.is("*/") {
		of := times
		if p.value == "/" {
			of = over
		}
		p.next()
		var w value
		if w, err = p.factor(); err == nil {
			v, err = of(v, w)
		}
	}
	return v, err
}

func (p *parser) factor() (value, error) {
	at := p.begin + 1
	switch {
	case p.is("("):
		return p.inside()
	case p.is("-"):
		return p.negative()
	case p.kind == number:
		v, err := p.literal()
		p.next()
		return v, err
	case p.kind == name || p.kind == quoted:
		column, bare := p.value, p.kind == name
		p.next()
		if bare && p.is("(") {
			return p.function(column, at)
		}
		if column == "" {
			return value{}, wrong(at, "a column has no name.")
		}
		return value{at: at, of: column, terms: []term{{times: big.NewRat(1, 1), over: []string{column}}}}, nil
	}
	return value{}, p.unexpected("a column, a number, a function or (")
}

// inside reads a sum in parentheses.
func (p *parser) inside() (value, error) {
	if p.depth++; p.depth > MaxDepth {
		return value{}, wrong(p.begin+1, "parentheses are more than %d deep.", MaxDepth)
	}
	p.next()
	v, err := p.sum()
	if err == nil && !p.is(")") {
		err = p.unexpected("+ - * / or )")
	}
	p.next()
	p.depth--
	return v, err
}

func (p *parser) negative() (value, error) {
	at := p.begin + 1
	if p.depth++; p.depth > MaxDepth {
		return value{}, wrong(at, "signs are more than %d deep.", MaxDepth)
	}
	p.next()
	v, err := p.factor()
	p.depth--
	if err != nil {
		return v, err
	}
	return times(value{at: at, terms: []term{{times: big.NewRat(-1, 1)}}}, v)
}

func (p *parser) literal() (value, error) {
	at := p.begin + 1
	whole, fraction, point := strings.Cut(p.value, ".")
	digits := whole + fraction
	switch {
	case whole == "" || point && fraction == "" || strings.Trim(digits, "0123456789") != "":
		return value{}, wrong(at, "%q is not a number. Write it like 100 or 1.19.", p.value)
	case len(digits) > maxDigits:
		return value{}, wrong(at, "%q has more than %d digits.", p.value, maxDigits)
	case strings.Trim(digits, "0") == "":
		return value{}, wrong(at, "0 makes a constant of what is multiplied by it, and nothing can be divided by it.")
	}
	n, _ := new(big.Rat).SetString(p.value)
	return value{at: at, terms: []term{{times: n}}}, nil
}

// function reads the parentheses of one. Its argument is a column, or of a text
// another function of a text.
func (p *parser) function(called string, at int) (value, error) {
	text := slices.Contains(texts, called)
	if !text && !slices.Contains(parts, called) {
		return value{}, wrong(at, "there is no function %q. %s", called, Allowed)
	}
	v, err := p.inside()
	switch {
	case err != nil:
		return v, err
	case v.of == "":
		return v, wrong(v.at, "%s is of a column, not of what is calculated.", called)
	case len(v.functions) > 0 && !(text && slices.Contains(texts, v.functions[0])):
		return v, wrong(at, "%s cannot be of %s: %s", called, v.functions[0], "only trim, lower and upper can be put into each other.")
	}
	return value{at: at, of: v.of, functions: append([]string{called}, v.functions...)}, nil
}
