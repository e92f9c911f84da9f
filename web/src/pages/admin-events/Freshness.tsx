import { strings } from "../../strings";
import { Page } from "../../ui/Page";
import { Freshness as Fresh } from "../freshness/Freshness";

const t = strings.freshness;

/** How new everything is, of all tenants. */
export function Freshness() {
  return (
    <Page title={t.title} lead={t.lead}>
      <Fresh />
    </Page>
  );
}
