import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { strings } from "../strings";
import { IconButton } from "./Button";
import style from "./Toasts.module.css";

const manager = Toast.createToastManager();

/** Says that something was done. Errors are never said so: they stay where they happened. */
export function told(text: string): void {
  manager.add({ title: text });
}

export function Toasts({ children }: { children: ReactNode }) {
  return (
    <Toast.Provider toastManager={manager} timeout={5000}>
      {children}
      <Toast.Portal>
        <Toast.Viewport className={style.place}>
          <List />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}

function List() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((toast) => (
    <Toast.Root key={toast.id} toast={toast} className={style.toast}>
      <Toast.Title className={style.title} />
      <Toast.Close render={<IconButton label={strings.ui.close} icon={<X size={16} />} />} />
    </Toast.Root>
  ));
}
