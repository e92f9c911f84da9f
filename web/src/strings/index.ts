import { sentences } from "./apart";
import { account } from "./en/account";
import { activity } from "./en/activity";
import { analyses } from "./en/analyses";
import { app } from "./en/app";
import { archive } from "./en/archive";
import { events } from "./en/events";
import { exchanged } from "./en/exchanged";
import { freshness } from "./en/freshness";
import { home } from "./en/home";
import { join } from "./en/join";
import { login } from "./en/login";
import { overview } from "./en/overview";
import { participation } from "./en/participation";
import { people } from "./en/people";
import { plan } from "./en/plan";
import { platform } from "./en/platform";
import { query } from "./en/query";
import { reports } from "./en/reports";
import { results } from "./en/results";
import { runs } from "./en/runs";
import { schedules } from "./en/schedules";
import { settings } from "./en/settings";
import { submissions } from "./en/submissions";
import { submit } from "./en/submit";
import { team } from "./en/team";
import { tenants } from "./en/tenants";
import { ui } from "./en/ui";

/**
 * Every word that the portals say, by where they say it. Pages take theirs from here and have none of their own, so that another
 * language is another folder beside en with the same shape.
 */
export const strings = sentences({
  account,
  activity,
  analyses,
  app,
  archive,
  events,
  exchanged,
  freshness,
  join,
  home,
  login,
  overview,
  participation,
  people,
  plan,
  platform,
  query,
  reports,
  results,
  runs,
  schedules,
  settings,
  submissions,
  submit,
  team,
  tenants,
  ui,
});
