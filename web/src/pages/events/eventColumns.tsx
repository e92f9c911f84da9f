import { strings } from "../../strings";
import type { Column } from "../../ui/PlainTable";
import { Name, Nothing, Time } from "../../ui/values";
import { TenantLink } from "../admin/actors";
import style from "./events.module.css";
import { jsonLine } from "./json";
import type { StreamEvent } from "./tail";

const t = strings.events.streams;

const who = (e: StreamEvent) => e.user ?? e.anonymous ?? e.subject;

const Provider = () => <span className={style.provider}>{strings.events.provider}</span>;

/** What a list of a stream's events shows of each. */
export function eventColumns(staff: boolean, open: (e: StreamEvent) => void): Column<StreamEvent>[] {
  return [
    { id: "received", title: t.received, cell: (e) => <Time at={e.received} exact /> },
    {
      id: "type",
      title: t.event,
      cell: (e) => (
        <button type="button" className="link" onClick={() => open(e)}>
          <Name of={e.type} />
        </button>
      ),
    },
    ...(staff
      ? [
          {
            id: "tenant",
            title: t.tenant,
            cell: (e: StreamEvent) => (e.tenant ? <TenantLink id={e.tenant} /> : <Provider />),
          },
        ]
      : []),
    { id: "who", title: t.who, value: who, cell: (e) => <Name of={who(e)} /> },
    {
      id: "data",
      title: t.data,
      value: (e) => e.data as object,
      cell: (e) => (e.data === undefined ? <Nothing /> : <code className={style.data}>{jsonLine(e.data)}</code>),
    },
    { id: "time", title: t.time, hidden: true, cell: (e) => <Time at={e.time} exact /> },
    { id: "subject", title: t.subject, hidden: true, cell: (e) => <Name of={e.subject} /> },
    { id: "channel", title: t.channel, hidden: true, cell: (e) => <Name of={e.channel} /> },
    { id: "source", title: t.source, hidden: true, cell: (e) => <Name of={e.source} /> },
    { id: "id", title: t.id, hidden: true, cell: (e) => <Name of={e.id} /> },
  ];
}
