const paths = {
  copy: "M5.5 5.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.5 5.5h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1Z",
  variable:
    "M6 2.5c-2 0-2 1-2 2.5s0 3-2 3c2 0 2 1.500 2 3s0 2.500 2 2.500M10 2.500c2 0 2 1 2 2.500s0 3 2 3c-2 0-2 1.500-2 3s0 2.500-2 2.500",
  link: "M7 9.500a3 3 0 0 0 4.300 0l2-2A3 3 0 0 0 9 3.200l-.800.800M9 6.500a3 3 0 0 0-4.300 0l-2 2A3 3 0 0 0 7 12.800l.800-.800",
  release: "M4 4l8 8M12 4l-8 8",
  done: "M3 8.500l3.500 3.500L13 4.500",
  warning: "M8 2.500l6 10.500H2zM8 6.500v3M8 11.200v.100",
  folder: "M2 4.500a1 1 0 0 1 1-1h3l1.500 1.500H13a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1Z",
  branch:
    "M4.500 5.500v5M4.500 5.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM4.500 13.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM11.500 5.500a1.500 1.500 0 1 0 0-3 1.500 1.500 0 0 0 0 3ZM11.500 5.500c0 3-3 3.500-6 5",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.700 10.700L14 14"
}

/** A small picture beside a text that says the same. */
export const Icon = ({ name }: { readonly name: keyof typeof paths }) => (
  <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d={paths[name]} />
  </svg>
)
