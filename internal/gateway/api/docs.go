package api

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsTemplate string

// docsRoute is what the documentation says about a route.
type docsRoute struct {
	ID, Method, Path, Summary, Action, Audience string
	Parameters, Body, Answer                    []docsField
	List                                        bool // the answer is a page of things with these fields
	Curl                                        string
}

// docsField is a parameter, or a field of a body.
type docsField struct {
	Name, Type, Note string
	Required         bool
}

// docsPage is the API's documentation, made on the server and without scripts.
func (s *server) docsPage() (string, error) {
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return "", err
	}
	groups := map[string][]docsRoute{}
	var order []string
	for _, r := range s.routes {
		group := strings.Split(r.path, "/")[1]
		if groups[group] == nil {
			order = append(order, group)
		}
		groups[group] = append(groups[group], s.docsRoute(r))
	}
	var b strings.Builder
	err = t.Execute(&b, map[string]any{"Order": order, "Groups": groups, "Description": description, "Version": s.Version})
	return b.String(), err
}

func (s *server) docsRoute(r route) docsRoute {
	d := docsRoute{ID: r.id, Method: r.method, Path: "/api/v1" + r.path, Summary: r.summary, Action: string(r.action), Audience: string(r.audience)}
	d.Curl = "curl"
	if r.audience != public {
		d.Curl += ` -H "Authorization: Bearer $TRIBUTARY_TOKEN"`
	}
	if r.method != http.MethodGet {
		d.Curl += " -X " + r.method
	}
	query := ""
	if o := s.operation(r); o != nil {
		for _, p := range o.Parameters {
			note := p.Description
			if p.In == "header" {
				note = strings.TrimPrefix("header; "+note, "; ")
			}
			d.Parameters = append(d.Parameters, docsField{Name: p.Name, Type: s.typeWord(p.Schema), Note: withChoices(note, p.Schema), Required: p.Required})
			if p.In == "query" && p.Required {
				query += "&" + p.Name + "=…"
			}
		}
		d.Curl += s.curlBody(r, o, &d)
		for status, a := range o.Responses {
			if media := a.Content["application/json"]; media != nil && strings.HasPrefix(status, "2") {
				d.Answer, d.List = s.answerFields(media.Schema)
			}
		}
	}
	if query != "" {
		query = "?" + query[1:]
	}
	d.Curl += ` "$TRIBUTARY_SERVER` + d.Path + query + `"`
	return d
}

// curlBody is the part of an example that sends the body. It notes the body's fields in d.
func (s *server) curlBody(r route, o *huma.Operation, d *docsRoute) string {
	switch {
	case r.yaml:
		return " -H 'Content-Type: application/yaml' --data-binary @FILE.yaml"
	case r.body < 0:
		return " --data-binary @FILE"
	case o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil:
		return ""
	}
	schema := s.resolve(o.RequestBody.Content["application/json"].Schema)
	d.Body = s.fields(schema)
	var pairs []string
	for _, name := range schema.Required {
		pairs = append(pairs, fmt.Sprintf("%q:%s", name, exampleOf(s.resolve(schema.Properties[name]))))
	}
	return " -H 'Content-Type: application/json' -d '{" + strings.Join(pairs, ",") + "}'"
}

func (s *server) operation(r route) *huma.Operation {
	item := s.api.OpenAPI().Paths["/api/v1"+r.path]
	if item == nil {
		return nil
	}
	return map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put,
		http.MethodPatch: item.Patch, http.MethodDelete: item.Delete}[r.method]
}

func (s *server) resolve(schema *huma.Schema) *huma.Schema {
	if schema != nil && schema.Ref != "" {
		return s.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

// answerFields are the fields of an answer, or of a list's things.
func (s *server) answerFields(schema *huma.Schema) (fields []docsField, list bool) {
	whole := s.resolve(schema)
	if items := whole.Properties["items"]; items != nil && whole.Properties["next"] != nil {
		return s.fields(s.resolve(items.Items)), true
	}
	return s.fields(whole), false
}

// fields are the required ones first, by name.
func (s *server) fields(schema *huma.Schema) []docsField {
	var fields []docsField
	for name, p := range schema.Properties {
		fields = append(fields, docsField{Name: name, Type: s.typeWord(p), Note: withChoices(p.Description, s.resolve(p)),
			Required: slices.Contains(schema.Required, name)})
	}
	slices.SortFunc(fields, func(a, b docsField) int {
		if a.Required != b.Required {
			if a.Required {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return fields
}

func (s *server) typeWord(schema *huma.Schema) string {
	p := s.resolve(schema)
	switch {
	case p == nil:
		return ""
	case p.Type == "array":
		return "list of " + s.typeWord(p.Items)
	case p.Format == "date" || p.Format == "date-time":
		return p.Format
	case p.ContentEncoding != "":
		return p.ContentEncoding
	}
	return p.Type
}

func withChoices(note string, schema *huma.Schema) string {
	if schema == nil || len(schema.Enum) == 0 {
		return note
	}
	var words []string
	for _, e := range schema.Enum {
		words = append(words, fmt.Sprint(e))
	}
	return strings.TrimPrefix(note+"; "+strings.Join(words, ", "), "; ")
}

func exampleOf(p *huma.Schema) string {
	if len(p.Enum) > 0 {
		if raw, err := json.Marshal(p.Enum[0]); err == nil {
			return string(raw)
		}
	}
	switch p.Type {
	case "integer", "number":
		return "1"
	case "boolean":
		return "true"
	case "array":
		return "[" + exampleOf(p.Items) + "]"
	case "object":
		return "{}"
	}
	if p.Format == "date" {
		return `"2026-03-01"`
	}
	return `"…"`
}
