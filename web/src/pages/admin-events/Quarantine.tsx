import { strings } from "../../strings";
import { Page } from "../../ui/Page";
import { QuarantineList, ReplayAll } from "../events/QuarantineList";

const t = strings.events.quarantine;

/** What came from the provider's sources and could not be taken in. */
export function Quarantine() {
  return (
    <Page title={t.title} lead={`${t.lead} ${t.leadStaff}`} actions={<ReplayAll />}>
      <QuarantineList />
    </Page>
  );
}
