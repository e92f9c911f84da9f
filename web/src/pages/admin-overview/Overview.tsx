import { strings } from "../../strings";
import { Page } from "../../ui/Page";
import { RunButton } from "../admin-runs/RunButton";
import { Attention } from "./Attention";
import { Checklist } from "./Checklist";
import { Figures } from "./Figures";
import { Now } from "./Now";

/** Where the provider's people begin: what needs them, how much goes on, and what runs. */
export function Overview() {
  return (
    <Page title={strings.overview.title} actions={<RunButton />}>
      <Figures />
      <div className="columns">
        <div className="stack">
          <Attention />
          <Now />
        </div>
        <Checklist />
      </div>
    </Page>
  );
}
