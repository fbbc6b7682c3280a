// The builder stands apart in `src/builder/`; this is its place among the pages.

import { getRouteApi } from "@tanstack/react-router";
import { WorkflowPage } from "../../builder";

const route = getRouteApi("/workflows/$name");

export function BuilderPage() {
  const { name } = route.useParams();
  return <WorkflowPage key={name} name={name} />;
}
