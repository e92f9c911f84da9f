import { strings } from "../../strings";
import { Page } from "../../ui/Page";
import { Query as Ask } from "../query/Query";

const t = strings.query;

/** Questions over all tenants. */
export function Query() {
  return (
    <Page title={t.title} lead={t.lead}>
      <Ask />
    </Page>
  );
}
