import { tab } from "../state/View.ts"
import { Header } from "./Header.tsx"
import { HistoryTab } from "./HistoryTab.tsx"
import { ListenersTab } from "./ListenersTab.tsx"
import { Notices } from "./Notices.tsx"
import { Offline } from "./Offline.tsx"
import { PortsTab } from "./PortsTab.tsx"
import { ReleaseDialog } from "./ReleaseDialog.tsx"
import { ServerTab } from "./ServerTab.tsx"
import { Toolbar } from "./Toolbar.tsx"

/** The page. */
export const App = () => (
  <>
    <Header />
    <main id="content" tabIndex={-1}>
      <Offline />
      {tab.value === "server" ? undefined : <Toolbar />}
      {tab.value === "ports" ? <PortsTab /> : undefined}
      {tab.value === "listeners" ? <ListenersTab /> : undefined}
      {tab.value === "history" ? <HistoryTab /> : undefined}
      {tab.value === "server" ? <ServerTab /> : undefined}
    </main>
    <ReleaseDialog />
    <Notices />
  </>
)
