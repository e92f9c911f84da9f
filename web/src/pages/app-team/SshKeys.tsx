import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Confirm, Dialog } from "../../ui/Dialog";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Id, Name, Time } from "../../ui/values";

const t = strings.team;

type Key = Schemas["SSHKey"];

/** The SSH keys of a person, which can be revoked here. */
export function SshKeys({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const [asked, setAsked] = useState<Key>();
  const query = useQuery({
    queryKey: ["key", "ssh", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/users/{id}/ssh-keys", { signal, params: { path: { id } } })),
  });
  return (
    <Dialog open onClose={onClose} title={t.sshTitle(name)} drawer>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <p className="secondary">{t.sshNone}</p>
          ) : (
            <PlainTable
              title={t.sshKeys}
              rows={items(list)}
              id={(k) => k.id}
              columns={[
                { id: "name", title: t.name, cell: (k) => <Name of={k.name} /> },
                { id: "fingerprint", title: t.fingerprint, cell: (k) => <Id of={k.fingerprint} /> },
                { id: "used", title: t.used, cell: (k) => (k.used_at ? <Time at={k.used_at} /> : t.neverUsed) },
                {
                  id: "revoke",
                  acts: true,
                  title: strings.ui.table.actions,
                  cell: (k) =>
                    k.revoked_at ? <Status state="revoked">{t.revoked}</Status> : <Button onClick={() => setAsked(k)}>{t.revoke}</Button>,
                },
              ]}
            />
          )
        }
      </Loaded>
      {asked && (
        <Confirm
          open
          onClose={() => setAsked(undefined)}
          title={t.revokeTitle(asked.name)}
          verb={t.revoke}
          act={async () => {
            await call(api.DELETE("/api/v1/ssh-keys/{id}", { params: { path: { id: asked.id } } }));
            await queries.invalidateQueries({ queryKey: ["key"] });
            told(t.revokeDone);
          }}
        >
          {t.revokeText}
        </Confirm>
      )}
    </Dialog>
  );
}
