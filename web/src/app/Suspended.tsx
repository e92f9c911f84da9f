import { Link, useRouter } from "@tanstack/react-router";
import { Front } from "../pages/login/Front";
import { strings } from "../strings";
import { Button, buttonClass } from "../ui/Button";
import { useSubmit } from "../ui/submit";
import { me, queries } from "./session";

const t = strings.app.suspended;

/** Why the people of a tenant cannot do anything for now, in the provider's words. Nothing is asked for until they say so. */
export function Suspended({ why }: { why: string }) {
  const router = useRouter();
  const { busy, submit } = useSubmit(async () => {
    await queries.fetchQuery({ ...me, staleTime: 0 });
    await router.invalidate();
  });
  return (
    <Front title={t.title}>
      <p>{why}</p>
      <p>{t.text}</p>
      <form className="row" onSubmit={submit}>
        <Button kind="primary" type="submit" busy={busy}>
          {t.again}
        </Button>
        <Link to="/login" className={buttonClass()}>
          {t.other}
        </Link>
      </form>
    </Front>
  );
}
