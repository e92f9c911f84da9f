package warehouse

import (
	"slices"
	"strings"

	"tributary/internal/query"
	"tributary/internal/tenant"
)

// tenantTables are the tables that a tenant may ask, and the column that says which rows
// are its own; where there is none all are everybody's.
var tenantTables = map[string]string{
	"dim_date": "", "dim_source": "tenant", "dim_tenant": "tenant", "dim_user": "tenant",
	"dim_identity": "tenant", "fact_act": "tenant", "fact_activity": "tenant", "fact_event": "tenant", "fact_login": "tenant", "fact_session": "tenant",
	"fact_submission": "tenant", "fact_usage": "tenant",
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
	for name, column := range tenantTables {
		tables = append(tables, name)
		if column != "" {
			only := ""
			if condition := withheld[name]; condition != "" && !acts {
				only = " AND " + condition
			}
			instead = append(instead, query.Instead{Table: name, SQL: "FROM main." + name + " WHERE " + column + " = '" + string(id) + "'" + only})
		}
	}
	slices.Sort(tables)
	slices.SortFunc(instead, func(a, b query.Instead) int { return strings.Compare(a.Table, b.Table) })
	return tables, instead
}
