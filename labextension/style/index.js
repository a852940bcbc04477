import './panel.css';
import './gpus.css';
import './notebooks.css';
import './bars.css';
import './colours.css';
