import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Page } from "../../ui/Page";
import { ArchiveList } from "../archive/ArchiveList";
import { Verify } from "../archive/Verify";

const t = strings.archive;

/** The archive of all tenants' streams. */
export function Archive() {
  return (
    <Page title={t.title} lead={t.lead} actions={isAdmin(useMe()) && <Verify />}>
      <ArchiveList staff />
    </Page>
  );
}
