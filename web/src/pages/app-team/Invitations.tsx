import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { type Column, PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Note, ProblemBox } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Name, Time } from "../../ui/values";

const t = strings.team;

/** The invitations that were not taken up yet, to one's own people or to a tenant; nothing where there are none. */
export function Invitations({
  tenant,
  roles = t.roles,
  admin = true,
}: {
  tenant?: string;
  roles?: Record<string, string>;
  admin?: boolean /** Whether one may send them again and take them back. */;
}) {
  const [link, setLink] = useState<string>();
  const [error, setError] = useState<unknown>();
  const query = useQuery({
    queryKey: ["user", "invitations", tenant],
    queryFn: ({ signal }) => call(api.GET("/api/v1/invitations", { signal, params: { query: { limit: 500, ...(tenant && { tenant }) } } })),
  });
  const attempt = (act: () => Promise<string | undefined>, text: string) => {
    setError(undefined);
    act()
      .then(async (path) => {
        await queries.invalidateQueries({ queryKey: ["user"] });
        if (path) setLink(location.origin + path);
        else told(text);
      })
      .catch(setError);
  };
  const rows = items(query.data);
  if (rows.length === 0) return <ProblemBox of={query.error} />;
  return (
    <Card title={t.invitations} flush>
      <ProblemBox of={error} dismiss={() => setError(undefined)} />
      <PlainTable
        title={t.invitations}
        rows={rows}
        id={(i) => i.id}
        columns={(
          [
            { id: "email", title: t.email, cell: (i) => <Name of={i.email} /> },
            { id: "role", title: t.role, cell: (i) => roles[i.role] ?? i.role },
            {
              id: "state",
              title: t.columns.state,
              cell: (i) => (
                <Status state={i.state} {...(i.state === "expired" && { tone: "warn" as const })}>
                  {t.invitationStates[i.state] ?? i.state}
                </Status>
              ),
            },
            { id: "expires", title: t.expires, cell: (i) => <Time at={i.expires_at} /> },
            {
              id: "acts",
              acts: true,
              title: strings.ui.table.actions,
              cell: (i) => {
                const path = { params: { path: { id: i.id } } };
                return (
                  <span className={tenant ? "stack tight" : "row"}>
                    <Button
                      onClick={() =>
                        attempt(async () => (await call(api.POST("/api/v1/invitations/{id}/resend", path))).path, t.invitedAgain)
                      }
                    >
                      {t.resend}
                    </Button>
                    <Button
                      onClick={() =>
                        attempt(async () => {
                          await call(api.DELETE("/api/v1/invitations/{id}", path));
                          return undefined;
                        }, t.takenBack)
                      }
                    >
                      {t.takeBack}
                    </Button>
                  </span>
                );
              },
            },
          ] satisfies Column<Schemas["Invitation"]>[]
        ).filter((c) => admin || c.id !== "acts")}
      />
      <Dialog open={link !== undefined} onClose={() => setLink(undefined)} title={t.link}>
        <div className="stack">
          <Note tone="warn">{t.inviteLink}</Note>
          <Copy text={link ?? ""} label={t.link} />
        </div>
      </Dialog>
    </Card>
  );
}
