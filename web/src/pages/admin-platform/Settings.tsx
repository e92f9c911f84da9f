import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { api, call } from "../../api/client";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { Loaded, Note } from "../../ui/states";
import { useAddress } from "../admin/address";
import { Webhooks } from "../app-settings/Webhooks";

const t = strings.platform.settings;

/** How the server is set up, and what an operator should see to. */
export function Settings() {
  const admin = isAdmin(useMe());
  const { create } = useSearch({ from: "/admin/settings" });
  const add = useAddress();
  const sftp = useQuery({ queryKey: ["sftp"], queryFn: ({ signal }) => call(api.GET("/api/v1/sftp", { signal })) });
  const ready = useQuery({
    queryKey: ["ready"],
    queryFn: async ({ signal }) => (await fetch("/readyz", { signal })).text(),
  });
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        admin && (
          <Button kind="primary" onClick={() => add({ create: "webhook" })}>
            {t.newWebhook}
          </Button>
        )
      }
    >
      <Card title={t.warnings}>
        <Loaded query={ready}>{(text) => <Warnings lines={text.trim().split("\n")} />}</Loaded>
      </Card>
      <Card title={t.sftp}>
        <Loaded query={sftp}>
          {(s) =>
            s.address === "" ? (
              <p className="secondary">{t.sftpOff}</p>
            ) : (
              <div className="stack">
                <Facts
                  of={[
                    [t.address, <code key="a">{s.address}</code>],
                    ...(s.host_keys ?? []).map((k): [string, React.ReactNode] => [
                      `${t.fingerprint}, ${k.type}`,
                      <code key={k.type}>{k.fingerprint}</code>,
                    ]),
                  ]}
                />
                <p className="secondary">{t.fingerprintHint}</p>
              </div>
            )
          }
        </Loaded>
      </Card>
      {admin && <Webhooks making={create === "webhook"} setMaking={(on) => add({ create: on ? "webhook" : undefined })} />}
      <Card title={t.backup}>
        <div className="stack">
          <p className="secondary">{t.backupText}</p>
          <Copy text={"tributary backup DIRECTORY --data DATA\ntributary keys export --recipient age1… --data DATA"} />
        </div>
      </Card>
      <Card title={t.portal}>
        <a href="/docs" target="_blank" rel="noreferrer">
          {t.docs}
        </a>
      </Card>
    </Page>
  );
}

function Warnings({ lines }: { lines: string[] }) {
  const wrong = lines.filter((line) => line !== "ready");
  if (wrong.length === 0) return <p className="secondary">{t.noWarnings}</p>;
  return (
    <ul className="stack">
      {wrong.map((line) => (
        <li key={line}>
          <Note tone="warn">{line.replace(/^warning: /, "")}</Note>
        </li>
      ))}
    </ul>
  );
}
