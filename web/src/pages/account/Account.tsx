import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Card, Facts } from "../../ui/Card";
import { Page } from "../../ui/Page";
import { Name } from "../../ui/values";
import { APIKeys } from "./APIKeys";
import style from "./account.module.css";
import { Identity } from "./Identity";
import { Look } from "./Look";
import { Mails } from "./Mails";
import { Password } from "./Password";
import { SecondFactor } from "./SecondFactor";
import { Sessions } from "./Sessions";
import { SSHKeys } from "./SSHKeys";

const t = strings.account;

/** One's own account, the same page in both portals. */
export function Account() {
  const who = useMe();
  return (
    <Page title={t.title} lead={t.lead}>
      <div className={style.columns}>
        <div className="stack">
          <Card title={t.you.title}>
            <Facts
              of={[
                [t.you.name, who.name && <Name of={who.name} />],
                [t.you.email, <Name key="email" of={who.email} />],
                [t.you.login, who.login !== who.email && who.login && <code>{who.login}</code>],
                [t.you.role, t.you.roles[who.role] ?? who.role],
                [t.you.tenant, who.tenant_slug && <code>{who.tenant_slug}</code>],
              ]}
            />
          </Card>
          <Password />
          <SecondFactor />
          {!who.tenant && <Identity />}
          <Sessions />
        </div>
        <div className="stack">
          {who.tenant && <SSHKeys login={who.login ?? ""} />}
          <APIKeys who={who} />
          <Mails />
          <Look />
        </div>
      </div>
    </Page>
  );
}
