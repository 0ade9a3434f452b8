import { render } from "preact"
import { start } from "./state/Live.ts"
import { App } from "./views/App.tsx"

const root = document.getElementById("app")
if (root !== null) render(<App />, root)
start()
