package warehouse

import (
	"slices"
	"strings"

	"tributary/internal/query"
	"tributary/internal/tenant"
)

// tenantTable is a table that a tenant may ask.
type tenantTable struct {
	owner string // the column that says which rows are its own; empty: all are everybody's
	until string // when what a row tells of had happened; empty: it is no fact
}

var tenantTables = map[string]tenantTable{
	"dim_date": {}, "dim_source": {owner: "tenant"}, "dim_tenant": {owner: "tenant"}, "dim_user": {owner: "tenant"}, "dim_identity": {owner: "tenant"},
	"fact_act": {"tenant", "time"}, "fact_activity": {"tenant", "last_seen"}, "fact_event": {"tenant", "time"}, "fact_login": {"tenant", "time"},
	"fact_session": {"tenant", "ended"}, "fact_submission": {"tenant", "last_act"}, "fact_usage": {"tenant", "start + INTERVAL 1 HOUR - INTERVAL 1 MICROSECOND"},
}

// anyTenant is nobody's: what its queries find is nothing.
const anyTenant tenant.ID = "ten_00000000000000000000000000"

// withheld is the condition for the rows of a table that a tenant's people may see who may not
// read its streams: what somebody did in Tributary is on them. Empty: all.
var withheld = map[string]string{"fact_act": "false", "fact_login": "false", "dim_user": "kind = 'product'"}

// bound returns the tables of a tenant's query, and the SELECTs of its own rows that
// stand for them. The id is a part of the text, which lets the engine leave out what
// cannot be the tenant's; it is no word of anybody's. Without acts they are as in withheld.
func bound(id tenant.ID, acts bool) (tables []string, instead []query.Instead) {
	if !id.Valid() {
		return []string{}, nil
	}
	for name, t := range tenantTables {
		tables = append(tables, name)
		if t.owner != "" {
			only := ""
			if condition := withheld[name]; condition != "" && !acts {
				only = " AND " + condition
			}
			instead = append(instead, query.Instead{Table: name, SQL: "FROM main." + name + " WHERE " + t.owner + " = '" + string(id) + "'" + only})
		}
	}
	slices.Sort(tables)
	slices.SortFunc(instead, func(a, b query.Instead) int { return strings.Compare(a.Table, b.Table) })
	return tables, instead
}
