import { useSearch } from "@tanstack/react-router";
import { strings } from "../../strings";
import { Page } from "../../ui/Page";
import { Sealed } from "../../ui/Sealed";
import { Views } from "../../ui/Views";
import { RunButton } from "../admin-runs/RunButton";
import { Files } from "./Files";
import { Periods } from "./Periods";

const t = strings.exchanged;

/** What tenants have sent and owe: metadata only. */
export function Submissions() {
  const { view } = useSearch({ strict: false }) as { view?: string };
  return (
    <Page title={t.files.title} actions={<RunButton />}>
      <Sealed>{t.sealedFiles}</Sealed>
      <Views
        label={t.files.views.label}
        views={[
          { label: t.files.views.list, current: view !== "periods", search: {} },
          { label: t.files.views.periods, current: view === "periods", search: { view: "periods" } },
        ]}
      />
      {view === "periods" ? <Periods /> : <Files />}
    </Page>
  );
}
