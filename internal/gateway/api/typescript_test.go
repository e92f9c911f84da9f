package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// The portals' types are written from the API's own description, in the shape that
// openapi-fetch reads: components and paths.
func TestTypeScriptTypesAreFresh(t *testing.T) {
	t.Parallel()
	got := typeScript(testServer(t).api.OpenAPI())
	const file = "../../../web/src/api/schema.d.ts"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("web/src/api/schema.d.ts is not what the routes say; to write it anew: go test ./internal/gateway/api -run TypeScript -update")
	}
}

func typeScript(doc *huma.OpenAPI) []byte {
	var b bytes.Buffer
	b.WriteString("// Written from the API's routes; see internal/gateway/api/typescript_test.go.\n\nexport interface components {\n  schemas: {\n")
	schemas := doc.Components.Schemas.Map()
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		fmt.Fprintf(&b, "    %s: %s;\n", name, tsType(schemas[name], "    "))
	}
	b.WriteString("  };\n}\n\nexport interface paths {\n")
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		fmt.Fprintf(&b, "  %q: {\n", path)
		item := doc.Paths[path]
		for _, o := range []struct {
			method string
			op     *huma.Operation
		}{{"get", item.Get}, {"post", item.Post}, {"put", item.Put}, {"patch", item.Patch}, {"delete", item.Delete}} {
			if o.op != nil {
				tsOperation(&b, o.method, o.op)
			}
		}
		b.WriteString("  };\n")
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func tsOperation(b *bytes.Buffer, method string, op *huma.Operation) {
	fmt.Fprintf(b, "    /** %s */\n    %s: {\n      parameters: {\n", op.Summary, method)
	for _, in := range []string{"query", "path", "header"} {
		fields, needed := "", false
		for _, p := range op.Parameters {
			if p.In == in {
				fields += fmt.Sprintf(" %s%s: %s;", strconv.Quote(p.Name), optional(p.Required), tsType(p.Schema, "      "))
				needed = needed || p.Required
			}
		}
		if fields != "" {
			fmt.Fprintf(b, "        %s%s: {%s };\n", in, optional(needed), fields)
		}
	}
	b.WriteString("      };\n")
	if op.RequestBody != nil {
		fmt.Fprintf(b, "      requestBody%s: { content: {%s } };\n", optional(op.RequestBody.Required), tsContent(op.RequestBody.Content))
	}
	b.WriteString("      responses: {\n")
	for _, code := range slices.Sorted(maps.Keys(op.Responses)) {
		if code[0] == '2' {
			fmt.Fprintf(b, "        %s: { content: {%s } };\n", code, cmp.Or(tsContent(op.Responses[code].Content), " never?: never;"))
		}
	}
	b.WriteString("        default: { content: { \"application/problem+json\": components[\"schemas\"][\"Problem\"]; } };\n      };\n    };\n")
}

func optional(required bool) string {
	if required {
		return ""
	}
	return "?"
}

func tsContent(content map[string]*huma.MediaType) string {
	out := ""
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		what := "Blob"
		if kind == "application/json" && content[kind].Schema != nil {
			what = tsType(content[kind].Schema, "        ")
		}
		out += fmt.Sprintf(" %q: %s;", kind, what)
	}
	return out
}

// tsType is a schema in TypeScript's words.
func tsType(s *huma.Schema, indent string) string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return fmt.Sprintf("components[%q][%q]", "schemas", name)
	}
	var out string
	switch {
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			word, _ := json.Marshal(v)
			words[i] = string(word)
		}
		out = strings.Join(words, " | ")
	case s.Type == huma.TypeArray:
		out = "Array<" + tsType(s.Items, indent) + ">"
	case s.Type == huma.TypeObject && len(s.Properties) > 0:
		out = tsObject(s, indent)
	case s.Type == huma.TypeObject:
		inner := "unknown"
		if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
			inner = tsType(values, indent)
		}
		out = "Record<string, " + inner + ">"
	case s.Type == huma.TypeInteger || s.Type == huma.TypeNumber:
		out = "number"
	case s.Type == huma.TypeString || s.Type == huma.TypeBoolean:
		out = s.Type
	default:
		out = "unknown"
	}
	if s.Nullable {
		out += " | null"
	}
	return out
}

func tsObject(s *huma.Schema, indent string) string {
	var b strings.Builder
	b.WriteString("{\n")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		if p.Description != "" {
			fmt.Fprintf(&b, "%s  /** %s */\n", indent, strings.ReplaceAll(p.Description, "*/", "* /"))
		}
		fmt.Fprintf(&b, "%s  %s%s: %s;\n", indent, strconv.Quote(name), optional(slices.Contains(s.Required, name)), tsType(p, indent+"  "))
	}
	return b.String() + indent + "}"
}
