import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { strings } from "../strings";
import { IconButton } from "./Button";
import style from "./Toasts.module.css";

const manager = Toast.createToastManager();

/** Says that something was done. Errors stay where they happened, but for those that have no place there: see failed. */
export function told(text: string): void {
  manager.add({ title: text });
}

/** Says what went wrong, until it is dismissed, where a menu did it that is gone. */
export function failed(what: string, why: string): void {
  manager.add({ title: what, description: why, timeout: 0 });
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
      <div>
        <Toast.Title className={style.title} />
        <Toast.Description className="secondary" />
      </div>
      <Toast.Close render={<IconButton label={strings.ui.close} icon={<X size={16} />} />} />
    </Toast.Root>
  ));
}
