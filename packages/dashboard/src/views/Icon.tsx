const paths = {
  copy: "M5.5 5.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.5 5.5h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1Z",
  release: "M4 4l8 8M12 4l-8 8",
  done: "M3 8.500l3.500 3.500L13 4.500",
  warning: "M8 2.500l6 10.500H2zM8 6.500v3M8 11.200v.100",
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
