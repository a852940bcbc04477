import { LabIcon } from '@jupyterlab/ui-components';

/** A graphics card: a board with a fan, on a bracket. */
const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3 jp-icon-selectable" fill="#616161">
    <path d="M2 4h2v16H2z"/>
    <path fill-rule="evenodd" d="M5 6h15.5A1.5 1.5 0 0 1 22 7.500v8a1.500 1.500 0 0 1-1.500 1.500H5zm8.500 1.700a3.800 3.800 0 1 0 0 7.600 3.800 3.800 0 0 0 0-7.600z"/>
    <circle cx="13.500" cy="11.500" r="1.500"/>
    <path d="M7 18h2v1.800H7zm3.500 0h2v1.800h-2zm3.500 0h2v1.800h-2z"/>
  </g>
</svg>`;

export const gpuIcon = new LabIcon({ name: 'lean-magic:gpu', svgstr });
