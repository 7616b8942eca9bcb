import { render } from 'preact';
import '../kit/kit.css';
import './placement.css';
import { connectHost } from '../kit/host';
import { rootOf } from '../kit/root';
import { PlacementApp } from './app';

render(<PlacementApp host={connectHost()} />, rootOf(document));
