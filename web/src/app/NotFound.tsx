import { Link } from "@tanstack/react-router";
import { strings } from "../strings";
import { Page } from "../ui/Page";

const t = strings.app.notFound;

export function NotFound() {
  return (
    <Page title={t.title} lead={t.text}>
      <p>
        <Link to="/">{t.home}</Link>
      </p>
    </Page>
  );
}
