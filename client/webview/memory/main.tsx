import { render } from 'preact';
import '../kit/kit.css';
import './memory.css';
import { connectHost } from '../kit/host';
import { rootOf } from '../kit/root';
import { MemoryApp } from './app';

render(<MemoryApp host={connectHost()} />, rootOf(document));
