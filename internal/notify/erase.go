package notify

import (
	"context"
	"fmt"

	"tributary/internal/meta"
	"tributary/internal/tenant"
)

// EraseTenant removes a tenant's webhooks, and the mails to its people. It is safe
// to repeat.
func (n *Notices) EraseTenant(ctx context.Context, id tenant.ID) (method string, count int64, err error) {
	if !id.Valid() {
		return "", 0, fmt.Errorf("erase notices: %q is no tenant", id)
	}
	err = n.DB.Transact(ctx, func(tx *meta.DB) error {
		count = 0
		for _, table := range []string{"webhook_deliveries", "webhooks", "notice_switches", "notice_mails", "notices_told"} {
			gone, err := tx.For(id).Exec(ctx, `DELETE FROM `+table+` WHERE tenant = $1`, string(id))
			if err != nil {
				return fmt.Errorf("erase %s of %s: %w", table, id, err)
			}
			count += gone
		}
		return nil
	})
	return "rows of webhooks, deliveries, mails and their switches deleted and the database compacted", count, err
}

// UnscopedVerify opens every webhook, every message to one, and every mail that waits. An error means that
// it could not look.
func (n *Notices) UnscopedVerify(ctx context.Context, report func(table string, id tenant.ID, row, problem string)) error {
	type sealed struct {
		row   string
		owner tenant.ID
		body  []byte
		id    string // what it is sealed for
	}
	for table, query := range map[string]string{
		"webhooks":           `SELECT id, tenant, config, id FROM webhooks ORDER BY id`,
		"webhook_deliveries": `SELECT id, tenant, payload, id || ' ' || webhook FROM webhook_deliveries ORDER BY id`,
		"notice_mails":       `SELECT id, tenant, body, id FROM notice_mails WHERE state = 'waiting' ORDER BY id`,
	} {
		list, err := collect(ctx, n.DB.Unscoped(), func(r scanner) (s sealed, err error) { return s, r.Scan(&s.row, &s.owner, &s.body, &s.id) }, query)
		if err != nil {
			return fmt.Errorf("list %s: %w", table, err)
		}
		for _, s := range list {
			if _, err := n.open(ctx, s.owner, s.body, s.id); err != nil && !gone(err) {
				report(table, s.owner, s.row, err.Error())
			}
		}
	}
	orphans, err := collect(ctx, n.DB.Unscoped(), func(r scanner) (s sealed, err error) { return s, r.Scan(&s.row, &s.owner) }, `
		SELECT d.id, d.tenant FROM webhook_deliveries d WHERE NOT EXISTS (SELECT 1 FROM webhooks w WHERE w.id = d.webhook AND w.tenant = d.tenant) ORDER BY d.id`)
	if err != nil {
		return fmt.Errorf("list deliveries without a webhook: %w", err)
	}
	for _, s := range orphans {
		report("webhook_deliveries", s.owner, s.row, "the message is for no webhook of its owner's")
	}
	return nil
}
