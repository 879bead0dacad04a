from tests.clients.measure import main

raise SystemExit(main())
