import { useSearch } from "@tanstack/react-router";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Select } from "../../ui/Field";
import { Page } from "../../ui/Page";
import { Views } from "../../ui/Views";
import { useAddress } from "../admin/address";
import { ArchiveList } from "../archive/ArchiveList";
import { Past } from "../events/Past";
import { QuarantineList, ReplayAll } from "../events/QuarantineList";
import { SourceList } from "../events/SourceList";
import { Tail } from "../events/Tail";
import { Freshness } from "../freshness/Freshness";
import { Query } from "../query/Query";

const t = strings.events;

const leads = {
  live: t.streams.leadTenant,
  past: t.streams.leadTenant,
  sources: t.sources.lead,
  quarantine: t.quarantine.lead,
  query: strings.query.leadTenant,
  freshness: strings.freshness.leadTenant,
  archive: strings.archive.leadTenant,
};

type View = keyof typeof leads;

const all = Object.keys(leads) as View[];

/** A tenant's own events: as they come, what sends them, what could not be taken in, and questions about them. */
export function Events() {
  const search = useSearch({ from: "/app/events" });
  const address = useAddress();
  const views: View[] = isAdmin(useMe()) ? all : ["query"];
  const first = views[0] ?? "query";
  const view = views.find((v) => v === search.view) ?? first;
  const make = (on: boolean) => address({ create: on ? "yes" : undefined });
  return (
    <Page
      title={t.title}
      lead={leads[view]}
      actions={
        view === "sources" ? (
          <Button kind="primary" onClick={() => make(true)}>
            {t.sources.create}
          </Button>
        ) : (
          view === "quarantine" && <ReplayAll />
        )
      }
    >
      {views.length > 1 && (
        <Views
          label={t.views.label}
          views={views.map((v) => ({ label: t.views[v], current: v === view, search: v === first ? {} : { view: v } }))}
        />
      )}
      {view === "sources" && <SourceList making={search.create !== undefined} setMaking={make} />}
      {view === "quarantine" && <QuarantineList />}
      {view === "query" && <Query />}
      {view === "freshness" && <Freshness />}
      {view === "archive" && <ArchiveList staff={false} />}
      {(view === "live" || view === "past") && <Stream past={view === "past"} />}
    </Page>
  );
}

function Stream({ past }: { past: boolean }) {
  const { stream = "events" } = useSearch({ from: "/app/events" });
  const address = useAddress();
  return (
    <>
      <div className="row filters">
        <Select
          label={t.streams.stream}
          value={stream}
          onChange={(s) => address({ stream: s === "events" ? undefined : s, after: undefined })}
          options={Object.entries(t.streams.what).map(([value, label]) => ({ value, label: `${value}: ${label}` }))}
        />
      </div>
      {past ? <Past stream={stream} tenant="" staff={false} /> : <Tail key={stream} stream={stream} tenant="" staff={false} />}
    </>
  );
}
