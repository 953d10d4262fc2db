/* What the report needs of ECharts; `make charts` bundles it into echarts.js. */
import { GraphChart, SankeyChart } from "echarts/charts";
import { TooltipComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

use([GraphChart, SankeyChart, TooltipComponent, SVGRenderer]);

export { init };
