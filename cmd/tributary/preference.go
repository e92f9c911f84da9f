package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"tributary/client"
	"tributary/internal/fault"
)

type preferenceCmd struct {
	List  preferenceListCmd  `cmd:"" help:"List one's preferences."`
	Set   preferenceSetCmd   `cmd:"" help:"Set one."`
	Unset preferenceUnsetCmd `cmd:"" help:"Take one away, so that the portals' own choice holds."`
}

func (o *output) preferences(p client.Preferences) {
	var rows [][]string
	for _, name := range slices.Sorted(maps.Keys(p)) {
		raw, err := json.Marshal(p[name])
		if err != nil {
			raw = fmt.Append(nil, p[name])
		}
		rows = append(rows, []string{name, string(raw)})
	}
	o.table([]string{"NAME", "VALUE"}, rows)
}

type preferenceListCmd struct{}

// Run lists one's preferences.
func (*preferenceListCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	p, err := c.Preferences(ctx)
	if err != nil {
		return err
	}
	return out.answer(func() { out.preferences(p) })
}

type preferenceSetCmd struct {
	Name  string `arg:"" help:"Its name, such as rows.tenants."`
	Value string `arg:"" help:"Its value, as JSON."`
}

// Run sets a preference.
func (p *preferenceSetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	var value any
	if err := json.Unmarshal([]byte(p.Value), &value); err != nil {
		return fault.Wrap(fault.Invalid, err, "The value %q is not JSON: a text is in quotes, as in '\"dark\"'.", p.Value)
	}
	all, err := c.ChangePreferences(ctx, client.Preferences{p.Name: value})
	if err != nil {
		return err
	}
	return out.answer(func() { out.preferences(all) })
}

type preferenceUnsetCmd struct {
	Name string `arg:"" help:"Its name."`
}

// Run takes a preference away.
func (p *preferenceUnsetCmd) Run(ctx context.Context, out *output, c *client.Client) error {
	all, err := c.ChangePreferences(ctx, client.Preferences{p.Name: nil})
	if err != nil {
		return err
	}
	return out.answer(func() { out.preferences(all) })
}
