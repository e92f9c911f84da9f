import { Moon, Sun } from "lucide-react";
import { strings } from "../strings";
import { IconButton } from "../ui/Button";
import { useTheme } from "./theme";

const t = strings.app;

/** Light or dark. */
export function ThemeButton() {
  const [theme, change] = useTheme();
  const label = theme === "dark" ? t.theme.toLight : t.theme.toDark;
  return <IconButton label={label} icon={theme === "dark" ? <Sun size={18} /> : <Moon size={18} />} onClick={change} />;
}
