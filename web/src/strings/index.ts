import { app } from "./en/app";
import { login } from "./en/login";
import { people } from "./en/people";
import { results } from "./en/results";
import { submissions } from "./en/submissions";
import { tenants } from "./en/tenants";
import { ui } from "./en/ui";

/**
 * Every word that the portals say, by where they say it. Pages take theirs from here and have none of their own, so that another
 * language is another folder beside en with the same shape.
 */
export const strings = { app, login, people, results, submissions, tenants, ui };
