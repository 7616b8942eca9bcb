import { render } from 'preact';
import '../kit/kit.css';
import './timeline.css';
import { connectHost } from '../kit/host';
import { rootOf } from '../kit/root';
import { TimelineApp } from './app';

render(<TimelineApp host={connectHost()} />, rootOf(document));
