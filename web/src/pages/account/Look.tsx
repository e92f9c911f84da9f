import { useState } from "react";
import { chooseTheme, chosenTheme, useTheme } from "../../app/theme";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Checkbox, Select } from "../../ui/Field";
import { usePreference } from "../../ui/preferences";

const t = strings.account.look;

/** What this browser remembers of how one likes the pages. */
export function Look() {
  const [singles, setSingles] = usePreference("shortcuts", true);
  useTheme(); // it may be changed elsewhere
  const [, again] = useState({});
  return (
    <Card title={t.title}>
      <div className="stack">
        <p className="secondary">{t.text}</p>
        <Select
          label={t.theme}
          value={chosenTheme()}
          onChange={(choice) => {
            chooseTheme(choice);
            again({});
          }}
          options={["", "light", "dark"].map((value) => ({ value, label: t.themes[value] ?? value }))}
        />
        <Checkbox label={strings.app.shortcuts.singles} hint={strings.app.shortcuts.singlesHint} checked={singles} onChange={setSingles} />
      </div>
    </Card>
  );
}
