import { render } from "preact"
import { start } from "./state/Live.ts"
import { App } from "./views/App.tsx"

const root = document.getElementById("app")
// Rendering twice, without ports and with them, takes longer.
void start().then(() => {
  if (root !== null) render(<App />, root)
})
