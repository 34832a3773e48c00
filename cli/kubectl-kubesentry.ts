#!/usr/bin/env node
/** The same program by the name under which kubectl starts it: usage and hints then say `kubectl kubesentry`. */
import './kubesentry.ts';
