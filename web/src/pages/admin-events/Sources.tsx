import { useSearch } from "@tanstack/react-router";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Page } from "../../ui/Page";
import { useAddress } from "../admin/address";
import { SourceList } from "../events/SourceList";

const t = strings.events.sources;

/** What sends the provider's events. */
export function Sources() {
  const admin = isAdmin(useMe());
  const { create } = useSearch({ from: "/admin/sources" });
  const address = useAddress();
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        admin && (
          <Button kind="primary" onClick={() => address({ create: "yes" })}>
            {t.create}
          </Button>
        )
      }
    >
      <SourceList making={create !== undefined} setMaking={(on) => address({ create: on ? "yes" : undefined })} />
    </Page>
  );
}
